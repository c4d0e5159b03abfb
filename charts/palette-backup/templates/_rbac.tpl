{{- define "palette-backup.paletteNamespace" -}}
{{- coalesce .Values.rbac.paletteNamespace (dig "provider" "palette" "namespace" "" .Values.config) "hubble-system" -}}
{{- end -}}

{{- /*
Which Secrets, by namespace, the agent may read: a JSON map from namespace to names. Both the values and the
configuration name them, as `name` or `namespace/name`.
*/ -}}
{{- define "palette-backup.secretsByNamespace" -}}
{{- $palette := include "palette-backup.paletteNamespace" . -}}
{{- $kubernetes := dig "provider" "palette" "kubernetes" dict .Values.config -}}
{{- $all := concat .Values.rbac.secrets (dig "secrets" list $kubernetes) (dig "optional_secrets" list $kubernetes) -}}
{{- $byNamespace := dict -}}
{{- range $all | uniq -}}
{{- $parts := splitList "/" . -}}
{{- $namespace := ternary (first $parts) $palette (gt (len $parts) 1) -}}
{{- $_ := set $byNamespace $namespace (append (dig $namespace list $byNamespace) (last $parts)) -}}
{{- end -}}
{{- toJson $byNamespace -}}
{{- end -}}

{{- define "palette-backup.helmReleaseNamespaces" -}}
{{- $namespaces := .Values.rbac.helmReleaseNamespaces -}}
{{- range dig "provider" "palette" "kubernetes" "helm_releases" list .Values.config -}}
{{- $namespaces = append $namespaces (first (splitList "/" .)) -}}
{{- end -}}
{{- toJson ($namespaces | uniq | sortAlpha) -}}
{{- end -}}

{{- /* Policies that take all objects, of the namespaces they name or of those Palette's chart makes. */ -}}
{{- define "palette-backup.allObjectsNamespaces" -}}
{{- $namespaces := .Values.rbac.allObjectsNamespaces -}}
{{- $own := list "cert-manager" "cp-system" "imageswap-system" "ingress-nginx" "ingress-traefik" "jet-system" -}}
{{- $own = concat (list (include "palette-backup.paletteNamespace" .)) $own (list "palette-system" "reach-system" "ui-system") -}}
{{- range dig "resource" "backup_policy" dict .Values.config -}}
{{- if or (eq (dig "include_cluster_resources_mode" "" .) "always") (eq (toString (dig "include_cluster_resources" "" .)) "true") -}}
{{- $namespaces = concat $namespaces (dig "namespaces" $own .) -}}
{{- end -}}
{{- end -}}
{{- toJson ($namespaces | uniq | sortAlpha) -}}
{{- end -}}

{{- /* The end of every Role: a RoleBinding of the same name. Takes a list: the root, the namespace, the name. */ -}}
{{- define "palette-backup.roleBinding" -}}
{{- $root := index . 0 -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ index . 2 }}
  namespace: {{ index . 1 }}
  labels: {{- include "palette-backup.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "palette-backup.serviceAccountName" $root }}
    namespace: {{ $root.Release.Namespace }}
{{- end -}}
