package require sqlite3
sqlite3 database [lindex $argv 0]
database eval {CREATE TABLE IF NOT EXISTS t(a)}
database transaction {
  foreach number {0 1 2} { database eval {INSERT INTO t VALUES($number)} }
}
puts [database onecolumn {SELECT count(*) FROM t}]
puts [string range [database onecolumn {PRAGMA tombolo_status}] 0 28]
