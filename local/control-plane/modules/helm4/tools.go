//go:build tools

// Package tools pins helm 4; local/helm.ts builds it.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
