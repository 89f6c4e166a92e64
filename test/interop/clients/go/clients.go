package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// clientCache has one client for each access.
type clientCache struct {
	clients map[access]*s3.Client
}

func newClientCache() *clientCache {
	return &clientCache{clients: map[access]*s3.Client{}}
}

func (cache *clientCache) of(a access) *s3.Client {
	if cache.clients[a] == nil {
		cache.clients[a] = newClient(a)
	}
	return cache.clients[a]
}

// newClient sets nothing but endpoint, region, credentials and style of address. Nothing is retried: the tests see
// what the server did, once.
func newClient(a access) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(a.Endpoint),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider(a.AccessKeyID, a.SecretAccessKey, ""),
		UsePathStyle: !a.VirtualHosted,
		Retryer:      aws.NopRetryer{},
		// What the SDK's own loader of settings sets where nobody says otherwise.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}
