{{/*
Redis's users, as a Redis reads them from its `aclfile`: files/redis-acl.yaml with the digests of passwords that values give. A user without
one is there and cannot log in.
*/}}
{{- define "ordertx.redisAcl" -}}
{{- $rights := .Files.Get "files/redis-acl.yaml" | fromYaml -}}
{{- $users := $rights.users -}}
{{- $acl := .Values.redis.acl -}}
{{- range $stream := $acl.streams -}}
{{- if hasKey $users $stream -}}
{{- fail (printf "redis.acl.streams names %s, which the chart has a user for: leave it out" $stream) -}}
{{- end -}}
{{- $_ := set $users "controller" (append $users.controller (printf "(~ordertx:messages:%s +xadd +xrange)" $stream)) -}}
{{- end -}}
{{- range $stream := $acl.streams -}}
{{- $rules := list -}}
{{- range $users.dispatch }}{{- $rules = append $rules (replace ":dispatch" (printf ":%s" $stream) .) -}}{{- end -}}
{{- $_ := set $users $stream $rules -}}
{{- end -}}
{{- $hashes := deepCopy $acl.passwordHashes -}}
{{- if .Values.try.enabled -}}
{{- range $user := keys $users -}}
{{- $_ := set $hashes $user (append (get $hashes $user | default list) (include "ordertx.try.password" $user | sha256sum)) -}}
{{- end -}}
{{- end -}}
{{- range $user := keys $hashes -}}
{{- if not (hasKey $users $user) -}}
{{- fail (printf "redis.acl.passwordHashes names %s, whom the chart has no user for: they are %s; name a stream of your own in redis.acl.streams" $user (keys $users | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
user default off
{{- range $line := $acl.extraUsers }}
{{ $line }}
{{- end }}
{{- if .Values.try.enabled }}
user admin on #{{ include "ordertx.try.password" "admin" | sha256sum }} ~* &* +@all
{{- end }}
{{- range $user := keys $users | sortAlpha }}
{{- $passwords := list }}
{{- range get $hashes $user | default list }}{{- $passwords = append $passwords (printf "#%s" .) }}{{- end }}
user {{ $user }} on {{ concat $passwords $rights.everyone (get $users $user) | join " " }}
{{- end }}
{{ end -}}
