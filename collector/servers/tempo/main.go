// Command tempo runs Grafana Tempo's single binary as a library.
//
// Tempo's own command relies on package initialisation order to register its gRPC codec last; from Go 1.21 on, packages
// initialise in order of import path and gRPC's plain codec wins, so a message with a gogo custom type panics. Registering
// the codec again in this package, which initialises after every import, restores what Tempo expects.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/gogo/protobuf/proto"
	"github.com/grafana/tempo/cmd/tempo/app"
	tempolog "github.com/grafana/tempo/pkg/util/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	protov2 "google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v2"
)

type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(message any) ([]byte, error) {
	if v2, ok := message.(protov2.Message); ok {
		return protov2.Marshal(v2)
	}
	return proto.Marshal(message.(proto.Message))
}

func (codec) Unmarshal(data []byte, message any) error {
	if v2, ok := message.(protov2.Message); ok {
		return protov2.Unmarshal(data, v2)
	}
	return proto.Unmarshal(data, message.(proto.Message))
}

func init() {
	encoding.RegisterCodec(codec{})
	version.Version = "2.1.0" // the line that the commit in go.mod belongs to
	prometheus.MustRegister(version.NewCollector("tempo"))
}

func main() {
	file := flag.String("config.file", "tempo.yaml", "configuration file")
	expand := flag.Bool("config.expand-env", false, "replace ${VARIABLE:-default} in the configuration")
	verify := flag.Bool("config.verify", false, "check the configuration and exit")
	config := &app.Config{}
	config.RegisterFlagsAndApplyDefaults("", flag.NewFlagSet("tempo", flag.ExitOnError))
	flag.Parse()

	text, err := os.ReadFile(*file)
	exitOn(err)
	exitOn(yaml.UnmarshalStrict(expanded(string(text), *expand), config))
	singleBinary(config)
	if *verify {
		return
	}
	tempolog.InitLogger(&config.Server)
	tempo, err := app.New(*config)
	exitOn(err)
	exitOn(tempo.Run())
}

// singleBinary puts every ring in memory, as Tempo's own command does for target "all".
func singleBinary(config *app.Config) {
	ring := &config.Ingester.LifecyclerConfig
	ring.RingConfig.KVStore.Store, ring.RingConfig.ReplicationFactor, ring.Addr = "inmemory", 1, "127.0.0.1"
	config.Generator.Ring.KVStore.Store, config.Generator.Ring.InstanceAddr = "inmemory", "127.0.0.1"
}

// expanded is the text with its variables replaced, as Tempo's own command does it.
func expanded(text string, wanted bool) []byte {
	if !wanted {
		return []byte(text)
	}
	return []byte(os.Expand(text, valueOf))
}

func valueOf(variable string) string {
	name, fallback, _ := strings.Cut(variable, ":-")
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
