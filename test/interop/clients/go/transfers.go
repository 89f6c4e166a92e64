package main

import (
	"context"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// uploadParts uploads a file in parts of the given lengths, part by part.
func uploadParts(ctx context.Context, client *s3.Client, c call) (any, error) {
	file, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// The algorithm is named, as the SDK's users must: parts then carry it, and S3 wants it back in Complete.
	created, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &c.Bucket, Key: &c.Key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		ContentType: optional(c.ContentType), Metadata: c.Metadata,
	})
	if err != nil {
		return nil, err
	}
	parts, err := sendParts(ctx, client, c, file, created.UploadId)
	if err != nil {
		return nil, err
	}
	completed, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &c.Bucket, Key: &c.Key, UploadId: created.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return nil, err
	}
	return object{ETag: aws.ToString(completed.ETag)}, nil
}

func sendParts(
	ctx context.Context, client *s3.Client, c call, file *os.File, uploadID *string,
) ([]types.CompletedPart, error) {
	parts := []types.CompletedPart{}
	offset := int64(0)
	for index, length := range c.PartLengths {
		number := aws.Int32(int32(index) + 1)
		sent, err := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &c.Bucket, Key: &c.Key, UploadId: uploadID, PartNumber: number,
			Body: io.NewSectionReader(file, offset, length), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32})
		offset += length
	}
	return parts, nil
}

// uploadManaged uploads a file with the transfer manager as it comes.
func uploadManaged(ctx context.Context, client *s3.Client, c call) (any, error) {
	file, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	uploaded, err := transfermanager.New(client).UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: &c.Bucket, Key: &c.Key, Body: file,
	})
	if err != nil {
		return nil, err
	}
	return object{ETag: aws.ToString(uploaded.ETag)}, nil
}

// downloadManaged downloads to a file with the transfer manager as it comes: it asks for parts by their number.
func downloadManaged(ctx context.Context, client *s3.Client, c call) (any, error) {
	file, err := os.Create(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, err = transfermanager.New(client).DownloadObject(ctx, &transfermanager.DownloadObjectInput{
		Bucket: &c.Bucket, Key: &c.Key, WriterAt: file,
	})
	return done{}, err
}
