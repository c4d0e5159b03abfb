// Starts FerretDB 1 over SQLite or PostgreSQL on loopback: a MongoDB-wire server that this project did not write.
// Its own command panics outside its repository, and its public package knows no user and no replica set; so this module
// is named as one within FerretDB's, which may use what the command uses.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/internal/clientconn"
	"github.com/FerretDB/FerretDB/internal/clientconn/connmetrics"
	"github.com/FerretDB/FerretDB/internal/handler/registry"
	"github.com/FerretDB/FerretDB/internal/util/password"
	"github.com/FerretDB/FerretDB/internal/util/state"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:27017", "address to listen on")
	name := flag.String("name", "", "HOST:PORT that the member of the replica set rs0 is called; empty: no replica set")
	dir := flag.String("dir", "", "folder for the SQLite files")
	postgresql := flag.String("postgresql", "", "connection string of a PostgreSQL, instead of -dir")
	cert := flag.String("cert", "", "certificate in PEM; given with -key and -ca: TLS only, and clients show a certificate")
	key := flag.String("key", "", "private key in PEM")
	ca := flag.String("ca", "", "certificates in PEM that clients' are checked against")
	flag.Parse()

	listener := &clientconn.NewListenerOpts{Mode: clientconn.NormalMode, Logger: slog.Default()}
	if *cert == "" {
		listener.TCP = *addr
	} else {
		listener.TLS, listener.TLSCertFile, listener.TLSKeyFile, listener.TLSCAFile = *addr, *cert, *key, *ca
	}
	options := &registry.NewHandlerOpts{Logger: slog.Default(), TCPHost: *addr}
	if *name != "" {
		options.TCPHost, options.ReplSetName = *name, "rs0"
	}
	if username := os.Getenv("FERRETDB_USERNAME"); username != "" {
		options.EnableNewAuth = true
		options.SetupDatabase, options.SetupUsername = "admin", username
		options.SetupPassword = password.WrapPassword(os.Getenv("FERRETDB_PASSWORD"))
		options.SetupTimeout = 20 * time.Second
	}
	options.CappedCleanupPercentage, options.BatchSize = 10, 100
	handlerName := "sqlite"
	switch {
	case *postgresql != "":
		handlerName, options.PostgreSQLURL = "postgresql", *postgresql
	case *dir != "":
		options.SQLiteURL = "file:" + *dir + "/"
	default:
		log.Fatal("ferretdb: -dir or -postgresql is required")
	}
	if err := serve(listener, handlerName, options); err != nil {
		log.Fatal(err)
	}
}

func serve(listener *clientconn.NewListenerOpts, handlerName string, options *registry.NewHandlerOpts) error {
	provider, err := state.NewProvider("")
	if err != nil {
		return err
	}
	err = provider.Update(func(s *state.State) {
		s.DisableTelemetry()
		s.TelemetryLocked = true
	})
	if err != nil {
		return err
	}
	listener.Metrics = connmetrics.NewListenerMetrics()
	options.StateProvider, options.ConnMetrics = provider, listener.Metrics.ConnMetrics
	handler, closeBackend, err := registry.NewHandler(handlerName, options)
	if err != nil {
		return err
	}
	defer closeBackend()
	listener.Handler = handler
	running, err := clientconn.Listen(listener)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	running.Run(ctx)
	return nil
}
