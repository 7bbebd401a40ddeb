<?php
// PHP's two ways to a database in the working directory. Each section prints what came of it.
declare(strict_types=1);

function section(string $name, callable $body): void
{
    echo "== $name\n";
    try {
        foreach ((array) $body() as $key => $value) {
            echo $key, ': ', var_export($value, true), "\n";
        }
    } catch (Exception $error) {
        echo get_class($error), ': ', $error->getMessage(), "\n";
    }
}

function open(array $options = []): PDO
{
    return new PDO('sqlite:app.db', null, null, $options);
}

$database = open();
section('create', fn () => [
    $database->query('PRAGMA journal_mode = WAL')->fetchColumn(),
    $database->exec('CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL,
        raw BLOB)'),
    $database->exec("INSERT INTO item(name, price) VALUES ('a', 1.5), ('b', 2)"),
    $database->lastInsertId(),
]);
section('prepared', function () use ($database) {
    $insert = $database->prepare('INSERT INTO item(name, price, raw) VALUES (:name, :price, :raw)');
    foreach (['c' => 1, 'd' => null] as $name => $price) {
        $insert->bindValue(':name', $name);
        $insert->bindValue(':price', $price, $price === null ? PDO::PARAM_NULL : PDO::PARAM_INT);
        $insert->bindValue(':raw', "\0\xff" . str_repeat('x', 10000), PDO::PARAM_LOB);
        $insert->execute();
    }
    $select = $database->query('SELECT name, price, length(raw) AS size FROM item ORDER BY id');
    return $select->fetchAll(PDO::FETCH_ASSOC);
});
section('modes of fetching', fn () => [
    $database->query('SELECT name, price FROM item')->fetchAll(PDO::FETCH_KEY_PAIR),
    $database->query('SELECT name FROM item')->fetchAll(PDO::FETCH_COLUMN),
    $database->query('SELECT name FROM item')->fetch(PDO::FETCH_NUM),
    $database->query('SELECT count(*) FROM item')->fetchColumn(),
]);
section('a unique name', fn () => $database->exec("INSERT INTO item(name) VALUES ('a')"));
section('a syntax error', fn () => $database->exec('SELEC 1'));
section('rollback', function () use ($database) {
    $database->beginTransaction();
    $changed = $database->exec('DELETE FROM item');
    $within = $database->inTransaction();
    $database->rollBack();
    return [$changed, $within, $database->inTransaction(),
        $database->query('SELECT count(*) FROM item')->fetchColumn()];
});
section('savepoints', function () use ($database) {
    $database->beginTransaction();
    $database->exec("INSERT INTO item(name) VALUES ('kept')");
    $database->exec('SAVEPOINT one; DELETE FROM item; ROLLBACK TO one; RELEASE one');
    $database->commit();
    return $database->query('SELECT count(*) FROM item')->fetchColumn();
});
section('functions', function () use ($database) {
    $database->sqliteCreateFunction('twice', fn ($text) => $text . $text, 1);
    $add = fn ($all, $row, $one) => $all . $one;
    $database->sqliteCreateAggregate('joined', $add, fn ($all) => $all);
    $database->sqliteCreateCollation('reversed', fn ($one, $other) => strcmp($other, $one));
    $twice = $database->query('SELECT twice(name) FROM item ORDER BY name COLLATE reversed');
    $joined = $database->query('SELECT joined(name) FROM item');
    return $twice->fetchAll(PDO::FETCH_COLUMN) + ['all' => $joined->fetchColumn()];
});
section('two connections', function () use ($database) {
    $other = open([PDO::ATTR_TIMEOUT => 0]);
    $database->beginTransaction();
    $database->exec("INSERT INTO item(name) VALUES ('first')");
    $seen = $other->query('SELECT count(*) FROM item')->fetchColumn();
    try {
        $other->exec("INSERT INTO item(name) VALUES ('second')");
        $refused = 'it wrote';
    } catch (PDOException $error) {
        $refused = $error->getMessage();
    }
    $database->commit();
    $other->exec("INSERT INTO item(name) VALUES ('second')");
    return [$seen, $refused, $other->query('SELECT count(*) FROM item')->fetchColumn()];
});
section('read only', function () {
    $reader = open([PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY]);
    echo $reader->query('SELECT count(*) FROM item')->fetchColumn(), "\n";
    $reader->exec('DELETE FROM item');
});
section('a cursor while another writes', function () use ($database) {
    $rows = $database->query('SELECT name FROM item ORDER BY id');
    $first = $rows->fetchColumn();
    open()->exec("INSERT INTO item(name) VALUES ('meanwhile')");
    $count = 1;
    while ($rows->fetchColumn() !== false) {
        $count++;
    }
    return [$first, $count, $database->query('SELECT count(*) FROM item')->fetchColumn()];
});
section('attach', function () use ($database) {
    $database->exec("ATTACH 'other.db' AS other");
    $database->exec('CREATE TABLE other.copy AS SELECT * FROM item');
    $joined = $database->query('SELECT count(*) FROM other.copy JOIN item USING (name)');
    $count = $joined->fetchColumn();
    $joined->closeCursor();
    $database->exec('DETACH other');
    return $count;
});

$second = new SQLite3('app.db');
$second->enableExceptions(true);
$second->busyTimeout(10000);
section('SQLite3', fn () => [
    $second->querySingle('SELECT count(*) FROM item'),
    $second->exec("UPDATE item SET price = 9 WHERE name = 'a'"),
    $second->changes(),
    $second->querySingle("SELECT price, name FROM item WHERE name = 'a'", true),
]);
section('a blob in pieces', function () use ($second) {
    $id = $second->querySingle("SELECT id FROM item WHERE name = 'c'");
    $blob = $second->openBlob('item', 'raw', $id, 'main', SQLITE3_OPEN_READWRITE);
    fseek($blob, 5000);
    fwrite($blob, 'middle');
    fclose($blob);
    return $second->querySingle("SELECT substr(raw, 5001, 6) FROM item WHERE id = $id");
});
section('backup', function () use ($second) {
    $copy = new SQLite3('copy.db');
    return [$second->backup($copy), $copy->querySingle('SELECT count(*) FROM item'),
        $copy->querySingle('PRAGMA integrity_check')];
});
section('many rows', function () use ($database) {
    $database->exec('CREATE TABLE number(n INTEGER PRIMARY KEY, text)');
    $database->beginTransaction();
    $insert = $database->prepare('INSERT INTO number VALUES (?, ?)');
    for ($n = 0; $n < 20000; $n++) {
        $insert->execute([$n, str_repeat((string) $n, 5)]);
    }
    $database->commit();
    $all = $database->query('SELECT count(*), sum(n), max(text) FROM number');
    return $all->fetch(PDO::FETCH_NUM);
});
section('in the end', fn () => $second->querySingle('PRAGMA integrity_check'));
