package main

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// version is an entry of a listing of versions.
type version struct {
	Key         string `json:"key"`
	VersionID   string `json:"versionId"`
	IsLatest    bool   `json:"isLatest"`
	IsMarker    bool   `json:"isMarker"`
	ETag        string `json:"etag,omitempty"`
	LengthBytes int64  `json:"lengthBytes"`
}

type upload struct {
	Key      string `json:"key"`
	UploadID string `json:"uploadId"`
}

type part struct {
	PartNumber  int32  `json:"partNumber"`
	LengthBytes int64  `json:"lengthBytes"`
	ETag        string `json:"etag"`
}

func attributes(ctx context.Context, client *s3.Client, c call) (any, error) {
	got, err := client.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: &c.Bucket, Key: &c.Key, ObjectAttributes: types.ObjectAttributes("").Values(),
	})
	if err != nil {
		return nil, err
	}
	found := map[string]any{"etag": aws.ToString(got.ETag), "lengthBytes": aws.ToInt64(got.ObjectSize)}
	if got.ObjectParts != nil {
		found["parts"] = aws.ToInt32(got.ObjectParts.TotalPartsCount)
	}
	if got.Checksum != nil {
		found["checksumType"] = string(got.Checksum.ChecksumType)
		found["crc32"] = aws.ToString(got.Checksum.ChecksumCRC32)
	}
	return found, nil
}

func enableVersioning(ctx context.Context, client *s3.Client, c call) (any, error) {
	_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &c.Bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		return nil, err
	}
	got, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &c.Bucket})
	if err != nil {
		return nil, err
	}
	return map[string]string{"status": string(got.Status)}, nil
}

func listVersions(ctx context.Context, client *s3.Client, c call) (any, error) {
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &c.Bucket, MaxKeys: &c.PageSize})
	count, found := 0, []version{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		count++
		for _, v := range page.Versions {
			found = append(found, version{
				Key: aws.ToString(v.Key), VersionID: aws.ToString(v.VersionId), IsLatest: aws.ToBool(v.IsLatest),
				ETag: aws.ToString(v.ETag), LengthBytes: aws.ToInt64(v.Size),
			})
		}
		for _, m := range page.DeleteMarkers {
			found = append(found, version{
				Key: aws.ToString(m.Key), VersionID: aws.ToString(m.VersionId), IsLatest: aws.ToBool(m.IsLatest), IsMarker: true,
			})
		}
	}
	return map[string]any{"pages": count, "versions": found}, nil
}

// tagObject replaces the tags of an object, and reads them.
func tagObject(ctx context.Context, client *s3.Client, c call) (any, error) {
	tags := []types.Tag{}
	for name, value := range c.Tags {
		tags = append(tags, types.Tag{Key: aws.String(name), Value: aws.String(value)})
	}
	_, err := client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: &c.Bucket, Key: &c.Key, Tagging: &types.Tagging{TagSet: tags},
	})
	if err != nil {
		return nil, err
	}
	got, err := client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &c.Bucket, Key: &c.Key})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, tag := range got.TagSet {
		found[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return map[string]any{"tags": found}, nil
}

func beginUpload(ctx context.Context, client *s3.Client, c call) (any, error) {
	created, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &c.Bucket, Key: &c.Key})
	if err != nil {
		return nil, err
	}
	return upload{Key: c.Key, UploadID: aws.ToString(created.UploadId)}, nil
}

func uploadPart(ctx context.Context, client *s3.Client, c call) (any, error) {
	file, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sent, err := client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &c.Bucket, Key: &c.Key, UploadId: &c.UploadID, PartNumber: &c.PartNumber, Body: file,
	})
	if err != nil {
		return nil, err
	}
	return object{ETag: aws.ToString(sent.ETag)}, nil
}

func listUploads(ctx context.Context, client *s3.Client, c call) (any, error) {
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{
		Bucket: &c.Bucket, MaxUploads: &c.PageSize,
	})
	count, found := 0, []upload{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		count++
		for _, u := range page.Uploads {
			found = append(found, upload{Key: aws.ToString(u.Key), UploadID: aws.ToString(u.UploadId)})
		}
	}
	return map[string]any{"pages": count, "uploads": found}, nil
}

func listParts(ctx context.Context, client *s3.Client, c call) (any, error) {
	pages := s3.NewListPartsPaginator(client, &s3.ListPartsInput{
		Bucket: &c.Bucket, Key: &c.Key, UploadId: &c.UploadID, MaxParts: &c.PageSize,
	})
	count, found := 0, []part{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		count++
		for _, p := range page.Parts {
			found = append(found, part{
				PartNumber: aws.ToInt32(p.PartNumber), LengthBytes: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag),
			})
		}
	}
	return map[string]any{"pages": count, "parts": found}, nil
}

func abortUpload(ctx context.Context, client *s3.Client, c call) (any, error) {
	_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &c.Bucket, Key: &c.Key, UploadId: &c.UploadID,
	})
	return done{}, err
}
