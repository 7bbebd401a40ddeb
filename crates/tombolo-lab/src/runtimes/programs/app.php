<?php

function pause(string $stage): void
{
    fwrite(STDOUT, "$stage\n");
    fgets(STDIN);
}

function connect(string $file): PDO
{
    return new PDO("sqlite:$file", null, null, [PDO::ATTR_TIMEOUT => 1]);
}

$library = connect(':memory:')->query('SELECT sqlite_version()')->fetchColumn();
fwrite(STDOUT, 'version PHP ' . PHP_VERSION . ", PDO, SQLite $library\n");

$db = connect($argv[1]);
$db->exec('PRAGMA journal_mode=@MODE@');
$db->exec('CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)');
$db->exec('INSERT INTO items(data) VALUES(zeroblob(200000))');
$db->query('SELECT count(*) FROM items')->fetchColumn();
pause('running');
$db->exec("INSERT INTO items(data) VALUES('second')");
$other = connect($argv[1]);
$other->query('SELECT count(*) FROM items')->fetchColumn();
$other = null;
$db->exec('BEGIN IMMEDIATE');
$db->exec("INSERT INTO items(data) VALUES('third')");
pause('transaction');
$db->exec('COMMIT');
$db->exec('DELETE FROM items');
$db->exec('VACUUM');
$db->exec('PRAGMA wal_checkpoint(TRUNCATE)');
$db = null;
