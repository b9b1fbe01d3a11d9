//go:build tools

// Package tools pins etcd; local/control-plane builds it.
package tools

import _ "go.etcd.io/etcd/server/v3"
