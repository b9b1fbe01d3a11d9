#!/bin/sh
# What the Postgres of a try-out does before it is opened: a server that nobody else reaches makes the databases and their roles, and gives
# them the passwords that the chart has. It is repeated at every start, so that what the chart says anew is so.
#
# PGDATA: the server's folder. PGHOST: the folder of its socket. DATABASES: whose databases there are. The other files are beside this one.
set -eu
files=$(dirname "$0")

if [ ! -e "$PGDATA" ]; then
  # One that was cut off is begun anew.
  rm -rf "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-instructions
  mv "$PGDATA.new" "$PGDATA"
fi

# There is one pod of it at a time: whoever has left this is gone, and its number may be somebody's here.
rm -f "$PGDATA/postmaster.pid"

pg_ctl start --wait --options="-c listen_addresses='' -c unix_socket_directories='$PGHOST' -c hba_file='$files/pg_hba.conf'"
trap 'pg_ctl stop --wait --mode=fast' EXIT
for service in $DATABASES; do
  psql --quiet --no-psqlrc --username=postgres --dbname=postgres --variable=service="$service" --file="$files/postgres-roles.sql"
done
psql --quiet --no-psqlrc --username=postgres --dbname=postgres --variable=ON_ERROR_STOP=on --file="$files/passwords.sql"
