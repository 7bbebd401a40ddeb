package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"log"
	"os"
	"runtime"

	"github.com/mattn/go-sqlite3"
)

var input = bufio.NewReader(os.Stdin)

func pause(stage string) {
	fmt.Println(stage)
	input.ReadString('\n')
}

func connect(file string) *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+file)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func run(db *sql.DB, statement string) {
	if _, err := db.Exec(statement); err != nil {
		log.Fatal(err)
	}
}

func count(db *sql.DB) {
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM items").Scan(&rows); err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	library, _, _ := sqlite3.Version()
	fmt.Printf("version %s, mattn/go-sqlite3, SQLite %s\n", runtime.Version(), library)

	db := connect(os.Args[1])
	run(db, "PRAGMA journal_mode=@MODE@")
	run(db, "CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)")
	run(db, "INSERT INTO items(data) VALUES(zeroblob(200000))")
	count(db)
	pause("running")
	run(db, "INSERT INTO items(data) VALUES('second')")
	other := connect(os.Args[1])
	count(other)
	other.Close()
	run(db, "BEGIN IMMEDIATE")
	run(db, "INSERT INTO items(data) VALUES('third')")
	pause("transaction")
	run(db, "COMMIT")
	run(db, "DELETE FROM items")
	run(db, "VACUUM")
	run(db, "PRAGMA wal_checkpoint(TRUNCATE)")
	db.Close()
}
