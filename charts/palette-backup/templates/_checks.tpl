{{- /* Combinations that cannot work stop here, with a sentence, before anything is changed in the cluster. */ -}}
{{- define "palette-backup.checks" -}}
{{- $given := list -}}
{{- if .Values.config -}}{{- $given = append $given "config" -}}{{- end -}}
{{- if .Values.existingConfigMap -}}{{- $given = append $given "existingConfigMap" -}}{{- end -}}
{{- if .Values.existingSecret -}}{{- $given = append $given "existingSecret" -}}{{- end -}}
{{- if eq (len $given) 0 -}}
{{- fail "\n\nThere is no configuration: write it under `config:` (see the chart's README), or name a ConfigMap or Secret of yours in `existingConfigMap` or `existingSecret`.\n" -}}
{{- end -}}
{{- if gt (len $given) 1 -}}
{{- fail (printf "\n\nThe configuration is given more than once (%s): keep one of them.\n" (join ", " $given)) -}}
{{- end -}}
{{- if and .Values.configAsSecret (not .Values.config) -}}
{{- fail "\n\n`configAsSecret` says where to keep `config`, but `config` is empty.\n" -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "\n\n`replicas` is %d: two agents would make every backup twice. Use 1, or 0 to pause.\n" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.token.create .Values.token.existingSecret -}}
{{- fail "\n\n`token.create` and `token.existingSecret` are both set: the token comes from one Secret.\n" -}}
{{- end -}}
{{- if and .Values.restore.enabled (not .Values.rbac.create) -}}
{{- fail "\n\n`restore.enabled` adds rights to the Roles of this chart, but `rbac.create` is false.\n" -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.automount) -}}
{{- fail "\n\n`rbac.create` gives rights to a ServiceAccount whose token is not mounted: set `serviceAccount.automount`, or `rbac.create: false` where `mongodb.uri` is all the agent needs.\n" -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "\n\n`rbac.create` would give the agent's rights to the ServiceAccount `default`, and so to every pod of the namespace: set `serviceAccount.name`.\n" -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "\n\n`persistence.existingClaim` is set, but `persistence.enabled` is false: nothing would be mounted.\n" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.secretMounts -}}
{{- if has .name $names -}}
{{- fail (printf "\n\nTwo `secretMounts` are named %q: they would be mounted over each other.\n" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
