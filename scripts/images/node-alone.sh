#!/bin/sh
# Everything that Node needs to run, and nothing else of the base image: node-alone.sh NODE FOLDER
#
# FOLDER becomes a root file system of Node itself, the libraries that it is linked to, names and certificates as the base has them, and what
# is said of where these come from: licenses, and the packages' entries where tools that look for flaws read them (dpkg/status.d).
set -eu
node=$1 folder=$2

copy() { # FILE [PATH IN FOLDER]
  mkdir -p "$folder$(dirname "${2:-$1}")"
  cp -L "$1" "$folder${2:-$1}"
}

copy "$node" /usr/local/bin/node
for library in $(ldd "$node" | grep -o '/[^ ]*'); do
  copy "$library"
  # What a C library loads by name when a host is looked up; newer ones have it inside.
  case $library in
    */libc.so.*) for more in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
      [ ! -e "$(dirname "$library")/$more" ] || copy "$(dirname "$library")/$more"
    done ;;
  esac
done

# By which tools that look for flaws know the base: some go by os-release, others know Debian by debian_version alone.
for file in /etc/os-release /etc/debian_version; do
  [ ! -e "$file" ] || copy "$file"
done
for file in /etc/passwd /etc/group /etc/nsswitch.conf /etc/ssl/certs/ca-certificates.crt /usr/local/LICENSE; do
  [ ! -e "$file" ] || copy "$file"
done
mkdir -p "$folder/tmp" && chmod 1777 "$folder/tmp"

# Of what the libraries are part of.
for package in libc6 libgcc-s1 libstdc++6 gcc-12-base ca-certificates base-files; do
  if dpkg-query --status "$package" > /dev/null 2>&1; then
    mkdir -p "$folder/var/lib/dpkg/status.d"
    dpkg-query --status "$package" > "$folder/var/lib/dpkg/status.d/$package"
    [ ! -e "/usr/share/doc/$package/copyright" ] || copy "/usr/share/doc/$package/copyright"
  fi
done
