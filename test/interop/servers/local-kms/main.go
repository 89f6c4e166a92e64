// local-kms for tests: its own handler behind a listener that is reached from this machine only, on a free port.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	kms "github.com/nsmithuk/local-kms/src"
	"github.com/nsmithuk/local-kms/src/config"
	"github.com/nsmithuk/local-kms/src/data"
)

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	folder := flag.String("data", "", "folder of the data")
	region := flag.String("region", "eu-central-1", "Region of the keys")
	flag.Parse()
	config.AWSAccountId = "111122223333"
	config.AWSRegion = *region
	config.DatabasePath = *folder
	database := data.NewDatabase(config.DatabasePath)
	defer database.Close()
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		kms.HandleRequest(answer, request, database)
	})
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	if err := http.Serve(listener, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
