<?php
// Both ways of PHP to a database: the class SQLite3, and PDO. Arguments: two paths.
[, $owned, $plain] = $argv;
foreach ([$owned, $plain] as $path) {
    $first = new SQLite3($path);
    $first->busyTimeout(60000);
    $first->exec('CREATE TABLE t(x); INSERT INTO t VALUES (1), (2)');
    $second = new PDO("sqlite:$path");
    $second->exec('INSERT INTO t VALUES (3)');
    $open[] = [$first, $second];
    echo $first->querySingle('SELECT count(*) FROM t'), "\n";
}
foreach (scandir('/proc/self/fd') as $descriptor) {
    $targets[] = is_link("/proc/self/fd/$descriptor") ? readlink("/proc/self/fd/$descriptor") : '';
}
foreach ([$owned, $plain] as $path) {
    echo in_array($path, $targets) ? "open\n" : "elsewhere\n";
}
