// Command go-client is the AWS SDK for Go v2 on a leash: calls come as JSON lines on standard input, answers go as
// JSON lines to standard output. ../README.md describes the calls, which all drivers share.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// access tells which server is called, as whom, and with which style of address.
type access struct {
	Endpoint        string `json:"endpoint"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	VirtualHosted   bool   `json:"virtualHosted"`
}

// call is one line of input; each command reads the fields that it needs.
type call struct {
	ID             int               `json:"id"`
	Access         access            `json:"access"`
	Command        string            `json:"command"`
	Bucket         string            `json:"bucket"`
	Key            string            `json:"key"`
	Keys           []string          `json:"keys"`
	ToBucket       string            `json:"toBucket"`
	ToKey          string            `json:"toKey"`
	File           string            `json:"file"`
	Range          string            `json:"range"`
	PartLengths    []int64           `json:"partLengths"`
	PageSize       int32             `json:"pageSize"`
	Prefix         string            `json:"prefix"`
	ContentType    string            `json:"contentType"`
	Metadata       map[string]string `json:"metadata"`
	Checksum       string            `json:"checksum"`
	ChecksumMode   string            `json:"checksumMode"`
	IfNoneMatch    string            `json:"ifNoneMatch"`
	VersionID      string            `json:"versionId"`
	Tags           map[string]string `json:"tags"`
	Operation      string            `json:"operation"`
	ExpiresSeconds int64             `json:"expiresSeconds"`
	UploadID       string            `json:"uploadId"`
	PartNumber     int32             `json:"partNumber"`
	Headers        map[string]string `json:"headers"`
}

// failure is what the SDK made of a refused or broken call.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status,omitempty"`
}

// answer is one line of output.
type answer struct {
	ID     int      `json:"id"`
	Result any      `json:"result,omitempty"`
	Error  *failure `json:"error,omitempty"`
}

type command func(ctx context.Context, client *s3.Client, c call) (any, error)

var commands = map[string]command{
	"create-bucket": createBucket,
	"delete-bucket": deleteBucket,
	"put":           putObject,
	"get":           getObject,
	"head":          headObject,
	"list":          listObjects,
	"copy":          copyObject,
	"delete":        deleteObjects,
	"multipart":     uploadParts,
	"upload":        uploadManaged,
	"download":      downloadManaged,
	"presign":       presign,
	"attributes":    attributes,
	"versioning":    enableVersioning,
	"versions":      listVersions,
	"tags":          tagObject,
	"begin":         beginUpload,
	"part":          uploadPart,
	"uploads":       listUploads,
	"parts":         listParts,
	"abort":         abortUpload,
}

func failureOf(err error) *failure {
	found := &failure{Code: "Broken", Message: err.Error()}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		found.Code = refused.ErrorCode()
	}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) {
		found.Status = answered.HTTPStatusCode()
	}
	return found
}

func carryOut(clients *clientCache, c call) answer {
	run, known := commands[c.Command]
	if !known {
		return answer{ID: c.ID, Error: &failure{Code: "NoSuchCommand", Message: c.Command}}
	}
	result, err := run(context.Background(), clients.of(c.Access), c)
	if err != nil {
		return answer{ID: c.ID, Error: failureOf(err)}
	}
	return answer{ID: c.ID, Result: result}
}

func main() {
	clients := newClientCache()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		var c call
		if err := json.Unmarshal(input.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := output.Encode(carryOut(clients, c)); err != nil {
			os.Exit(1)
		}
	}
}
