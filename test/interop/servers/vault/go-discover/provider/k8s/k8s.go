// Package k8s is as empty as the package above it.
package k8s

// Provider is Kubernetes.
type Provider struct{}
