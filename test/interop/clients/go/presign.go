package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type presigned struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// presign signs one request for later; its extra headers are signed with it.
func presign(ctx context.Context, client *s3.Client, c call) (any, error) {
	signer := s3.NewPresignClient(client, func(options *s3.PresignOptions) {
		options.Expires = time.Duration(c.ExpiresSeconds) * time.Second
		for name, value := range c.Headers {
			set := s3.WithAPIOptions(smithyhttp.SetHeaderValue(name, value))
			options.ClientOptions = append(options.ClientOptions, set)
		}
	})
	signed, err := presignOperation(ctx, signer, c)
	if err != nil {
		return nil, err
	}
	return presigned{URL: signed.URL, Method: signed.Method, Headers: headersToSend(signed.SignedHeader)}, nil
}

func presignOperation(ctx context.Context, signer *s3.PresignClient, c call) (*v4.PresignedHTTPRequest, error) {
	switch c.Operation {
	case "GetObject":
		return signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &c.Bucket, Key: &c.Key})
	case "PutObject":
		return signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &c.Bucket, Key: &c.Key})
	case "HeadObject":
		return signer.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &c.Key})
	case "DeleteObject":
		return signer.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: &c.Key})
	case "UploadPart":
		return signer.PresignUploadPart(ctx, &s3.UploadPartInput{
			Bucket: &c.Bucket, Key: &c.Key, UploadId: &c.UploadID, PartNumber: &c.PartNumber,
		})
	}
	return nil, fmt.Errorf("no such operation: %s", c.Operation)
}

// headersToSend leaves out Host, which every HTTP client sends by itself.
func headersToSend(signed http.Header) map[string]string {
	headers := map[string]string{}
	for name := range signed {
		if name != "Host" {
			headers[name] = signed.Get(name)
		}
	}
	return headers
}
