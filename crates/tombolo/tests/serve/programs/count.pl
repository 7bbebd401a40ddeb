use strict;
use DBI;
my $database = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", "", "", {RaiseError => 1});
$database->do("CREATE TABLE IF NOT EXISTS t(a)");
$database->begin_work;
$database->do("INSERT INTO t VALUES(?)", undef, $_) for 0 .. 2;
$database->commit;
print $database->selectrow_array("SELECT count(*) FROM t"), "\n";
print substr(($database->selectrow_array("PRAGMA tombolo_status"))[0], 0, 29), "\n";
