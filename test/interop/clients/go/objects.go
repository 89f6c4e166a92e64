package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// object says what an answer or a listing tells of an object.
type object struct {
	Key         string            `json:"key,omitempty"`
	ETag        string            `json:"etag,omitempty"`
	LengthBytes int64             `json:"lengthBytes"`
	ContentType string            `json:"contentType,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

type listing struct {
	Pages   int      `json:"pages"`
	Objects []object `json:"objects"`
}

type done struct{}

// optional is nil for an empty text: the SDK then sends nothing.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func createBucket(ctx context.Context, client *s3.Client, c call) (any, error) {
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &c.Bucket})
	return done{}, err
}

func deleteBucket(ctx context.Context, client *s3.Client, c call) (any, error) {
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &c.Bucket})
	return done{}, err
}

func putObject(ctx context.Context, client *s3.Client, c call) (any, error) {
	file, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	put, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &c.Bucket, Key: &c.Key, Body: file, ContentType: optional(c.ContentType), Metadata: c.Metadata,
		ChecksumAlgorithm: types.ChecksumAlgorithm(c.Checksum), IfNoneMatch: optional(c.IfNoneMatch),
	})
	if err != nil {
		return nil, err
	}
	return object{ETag: aws.ToString(put.ETag)}, nil
}

func getObject(ctx context.Context, client *s3.Client, c call) (any, error) {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &c.Bucket, Key: &c.Key, Range: optional(c.Range), VersionId: optional(c.VersionID),
		ChecksumMode: types.ChecksumMode(c.ChecksumMode),
	})
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	file, err := os.Create(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// The body fails at its end where a checksum of the answer is not that of the bytes.
	if _, err := io.Copy(file, got.Body); err != nil {
		return nil, err
	}
	return object{
		ETag: aws.ToString(got.ETag), LengthBytes: aws.ToInt64(got.ContentLength),
		ContentType: aws.ToString(got.ContentType), Metadata: got.Metadata,
	}, nil
}

func headObject(ctx context.Context, client *s3.Client, c call) (any, error) {
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &c.Key})
	if err != nil {
		return nil, err
	}
	return object{
		ETag: aws.ToString(head.ETag), LengthBytes: aws.ToInt64(head.ContentLength),
		ContentType: aws.ToString(head.ContentType), Metadata: head.Metadata,
	}, nil
}

func listObjects(ctx context.Context, client *s3.Client, c call) (any, error) {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: &c.Bucket, Prefix: optional(c.Prefix), MaxKeys: &c.PageSize,
	})
	found := listing{Objects: []object{}}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found.Pages++
		for _, entry := range page.Contents {
			found.Objects = append(found.Objects, object{
				Key: aws.ToString(entry.Key), ETag: aws.ToString(entry.ETag), LengthBytes: aws.ToInt64(entry.Size),
			})
		}
	}
	return found, nil
}

// copySource is percent-encoded, as the header wants it; the SDK leaves that to its caller.
func copySource(bucket, key string) *string {
	segments := strings.Split(bucket+"/"+key, "/")
	for index, segment := range segments {
		segments[index] = url.PathEscape(segment)
	}
	source := strings.ReplaceAll(strings.Join(segments, "/"), "+", "%2B")
	return &source
}

func copyObject(ctx context.Context, client *s3.Client, c call) (any, error) {
	copied, err := client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &c.ToBucket, Key: &c.ToKey, CopySource: copySource(c.Bucket, c.Key),
	})
	if err != nil {
		return nil, err
	}
	return object{ETag: aws.ToString(copied.CopyObjectResult.ETag)}, nil
}

func deleteObjects(ctx context.Context, client *s3.Client, c call) (any, error) {
	if c.Key != "" {
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: &c.Bucket, Key: &c.Key, VersionId: optional(c.VersionID),
		})
		return done{}, err
	}
	names := []types.ObjectIdentifier{}
	for _, key := range c.Keys {
		names = append(names, types.ObjectIdentifier{Key: aws.String(key)})
	}
	deleted, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &c.Bucket, Delete: &types.Delete{Objects: names},
	})
	if err != nil {
		return nil, err
	}
	return map[string]int{"deleted": len(deleted.Deleted), "errors": len(deleted.Errors)}, nil
}
