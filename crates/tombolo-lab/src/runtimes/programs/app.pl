use strict;
use warnings;
use DBI;

$| = 1;

sub pause {
    my ($stage) = @_;
    print "$stage\n";
    <STDIN>;
}

sub connect_to {
    my ($file) = @_;
    my $db = DBI->connect("dbi:SQLite:dbname=$file", '', '', { RaiseError => 1, PrintError => 0 });
    $db->sqlite_busy_timeout(1000);
    return $db;
}

my $memory = connect_to(':memory:');
printf "version Perl %vd, DBD::SQLite %s, SQLite %s\n", $^V, $DBD::SQLite::VERSION,
    $memory->{sqlite_version};

my $db = connect_to($ARGV[0]);
$db->do('PRAGMA journal_mode=@MODE@');
$db->do('CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)');
$db->do('INSERT INTO items(data) VALUES(zeroblob(200000))');
$db->selectrow_array('SELECT count(*) FROM items');
pause('running');
$db->do("INSERT INTO items(data) VALUES('second')");
my $other = connect_to($ARGV[0]);
$other->selectrow_array('SELECT count(*) FROM items');
$other->disconnect;
$db->begin_work;
$db->do("INSERT INTO items(data) VALUES('third')");
pause('transaction');
$db->commit;
$db->do('DELETE FROM items');
$db->do('VACUUM');
$db->do('PRAGMA wal_checkpoint(TRUNCATE)');
$db->disconnect;
