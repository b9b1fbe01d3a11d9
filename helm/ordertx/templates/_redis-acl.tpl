{{/*
Redis's users, as a Redis reads them from its `aclfile`: files/redis-acl.yaml with the digests of passwords that values give. A user without
one is there and cannot log in.
*/}}
{{- define "ordertx.redisAcl" -}}
{{- $rights := .Files.Get "files/redis-acl.yaml" | fromYaml -}}
{{- $users := $rights.users -}}
{{- $acl := .Values.redis.acl -}}
{{- /* A Redis refuses a file that has somebody twice, all of it. */ -}}
{{- $twice := "%s names %s, which the chart has a user for: leave it out" -}}
{{- $taken := dict "default" true -}}
{{- if .Values.try.enabled }}{{- $_ := set $taken "admin" true -}}{{- end -}}
{{- range $user := keys $users }}{{- $_ := set $taken $user true -}}{{- end -}}
{{- range $stream := $acl.streams -}}
{{- if hasKey $taken $stream -}}
{{- fail (printf $twice "redis.acl.streams" $stream) -}}
{{- end -}}
{{- end -}}
{{- $extra := list -}}
{{- range $line := $acl.extraUsers -}}
{{- $user := index (regexSplit "\\s+" $line -1) 1 -}}
{{- if hasKey $taken $user -}}
{{- fail (printf $twice "redis.acl.extraUsers" $user) -}}
{{- else if has $user $acl.streams -}}
{{- fail (printf "redis.acl.extraUsers has a line for %s, and so has redis.acl.streams: name it in one of them" $user) -}}
{{- else if has $user $extra -}}
{{- fail (printf "redis.acl.extraUsers has two lines for %s: a user is one line" $user) -}}
{{- end -}}
{{- $extra = append $extra $user -}}
{{- end -}}
{{- range $stream := $acl.streams -}}
{{- $_ := set $users "controller" (append $users.controller (printf "(~ordertx:messages:%s +xadd +xrange)" $stream)) -}}
{{- end -}}
{{- range $stream := $acl.streams -}}
{{- $rules := list -}}
{{- range $users.dispatch }}{{- $rules = append $rules (replace ":dispatch" (printf ":%s" $stream) .) -}}{{- end -}}
{{- $_ := set $users $stream $rules -}}
{{- end -}}
{{- $hashes := deepCopy ($acl.passwordHashes | default dict) -}}
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
