//go:build tools

// Package tools pins helm 3; local/helm.ts builds it.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
