// A Vault for tests: HashiCorp's own core, HTTP API, Transit engine and login methods, without the rest of the product, which
// takes ten times as long to compile. It keeps its data in files, so that it can be killed and started again, and it opens its
// own seal; the first start writes root token and unseal key to init.json beside them.
package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// What the first start leaves beside the data.
type initialised struct {
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	folder := flag.String("data", "", "folder of the data")
	certificate := flag.String("cert", "", "certificate file; without it plain HTTP")
	privateKey := flag.String("key", "", "file of the certificate's key")
	flag.Parse()
	if err := run(*address, *folder, *certificate, *privateKey); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, folder, certificate, privateKey string) error {
	core, err := newCore(folder, "http://"+address)
	if err != nil {
		return fmt.Errorf("core: %w", err)
	}
	if err := open(core, filepath.Join(folder, "init.json")); err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	listenerConfig := &configutil.Listener{Type: "tcp", Address: address}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, privateKey)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{pair},
			ClientAuth:   tls.RequestClientCert,
			NextProtos:   []string{"http/1.1"},
		})
	} else {
		listenerConfig.TLSDisable = true
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: listenerConfig})
	fmt.Printf("listening on %s\n", listener.Addr())
	return (&http.Server{Handler: handler}).Serve(listener)
}

func newCore(folder, address string) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	storage, err := file.NewFileBackend(map[string]string{"path": filepath.Join(folder, "storage")}, logger)
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		StorageType:     "file",
		DisableMlock:    true,
		Logger:          logger,
		RedirectAddr:    address,
		BuiltinRegistry: registry{},
		LogicalBackends: map[string]logical.Factory{"transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{
			"approle":    approle.Factory,
			"cert":       cert.Factory,
			"kubernetes": kubernetes.Factory,
		},
	})
}

// Initialises the storage at the first start, and opens the seal at each.
func open(core *vault.Core, path string) error {
	ctx := namespace.RootContext(context.Background())
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		content, err = initialise(ctx, core, path)
	}
	if err != nil {
		return err
	}
	var keys initialised
	if err := json.Unmarshal(content, &keys); err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(keys.UnsealKey)
	if err != nil {
		return err
	}
	unsealed, err := core.Unseal(key)
	if err == nil && !unsealed {
		return errors.New("it stays sealed")
	}
	return err
}

func initialise(ctx context.Context, core *vault.Core, path string) ([]byte, error) {
	made, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{Type: "shamir", SecretShares: 1, SecretThreshold: 1, StoredShares: 1},
	})
	if err != nil {
		return nil, err
	}
	key := base64.StdEncoding.EncodeToString(made.SecretShares[0])
	content, err := json.Marshal(initialised{RootToken: made.RootToken, UnsealKey: key})
	if err != nil {
		return nil, err
	}
	return content, os.WriteFile(path, content, 0o600)
}

// The plugins that are compiled in, as the core asks for them by name.
type registry struct{}

var builtin = map[consts.PluginType]map[string]logical.Factory{
	consts.PluginTypeSecrets: {"transit": transit.Factory},
	consts.PluginTypeCredential: {
		"approle":    approle.Factory,
		"cert":       cert.Factory,
		"kubernetes": kubernetes.Factory,
	},
}

func (registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, found := builtin[kind][name]
	return func() (interface{}, error) { return factory, nil }, found
}

func (registry) Contains(name string, kind consts.PluginType) bool {
	_, found := builtin[kind][name]
	return found
}

func (registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range builtin[kind] {
		names = append(names, name)
	}
	return names
}

func (registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	_, found := builtin[kind][name]
	return consts.Supported, found
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool {
	return false
}
