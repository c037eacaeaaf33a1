//go:build tools

// Package tools names what is built here, so that go.mod and go.sum pin it with all that it needs.
package tools

import _ "github.com/aws/session-manager-plugin/src/sessionmanagerplugin-main"
