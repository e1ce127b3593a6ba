{{- define "logs.baseImage" -}}
{{- $registry := .global.registry | default .service.registry | default "" -}}
{{- $repository := .service.repository | default "" -}}
{{- $ref := ternary (printf ":%s" (.service.tag | default .defaultVersion | toString)) (printf "@%s" .service.digest) (empty .service.digest) -}}
{{- if and $registry $repository -}}
  {{- printf "%s/%s%s" $registry $repository $ref -}}
{{- else -}}
  {{- printf "%s%s%s" $registry $repository $ref -}}
{{- end -}}
{{- end -}}
{{- define "logs.memcached" -}}
{{- with $.ctx.Values.memcached.image -}}
{{- $cfg := index $.ctx.Values $.memcacheConfig -}}
{{- if $cfg.enabled -}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ $.memcacheConfig | kebabcase }}}
spec:
  template:
    spec:
      containers:
        - name: memcached
          image: {{ .repository }}:{{ .tag }}
        {{- if $.ctx.Values.memcachedExporter.enabled }}
        - name: exporter
          {{- with $.ctx.Values.memcachedExporter.image }}
          image: {{ .repository}}:{{ .tag }}
          {{- end }}
        {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
