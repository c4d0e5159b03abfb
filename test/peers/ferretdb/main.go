// Starts FerretDB 1 over SQLite or PostgreSQL on loopback: a MongoDB-wire server that this project did not write.
// Its own command panics outside its repository, so its public package is wrapped here.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:27017", "address to listen on")
	dir := flag.String("dir", "", "folder for the SQLite files")
	postgresql := flag.String("postgresql", "", "connection string of a PostgreSQL, instead of -dir")
	flag.Parse()
	config := &ferretdb.Config{Listener: ferretdb.ListenerConfig{TCP: *addr}}
	switch {
	case *postgresql != "":
		config.Handler, config.PostgreSQLURL = "postgresql", *postgresql
	case *dir != "":
		config.Handler, config.SQLiteURL = "sqlite", "file:"+*dir+"/"
	default:
		log.Fatal("ferretdb: -dir or -postgresql is required")
	}
	server, err := ferretdb.New(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := server.Run(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}
