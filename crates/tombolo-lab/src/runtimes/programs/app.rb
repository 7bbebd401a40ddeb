require 'sqlite3'

def pause(stage)
  puts stage
  $stdout.flush
  $stdin.gets
end

versions = "sqlite3 gem #{SQLite3::VERSION}, SQLite #{SQLite3::SQLITE_VERSION}"
puts "version Ruby #{RUBY_VERSION}, #{versions}"

db = SQLite3::Database.new(ARGV[0])
db.execute('PRAGMA journal_mode=@MODE@')
db.execute('CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)')
db.execute('INSERT INTO items(data) VALUES(zeroblob(200000))')
db.get_first_value('SELECT count(*) FROM items')
pause('running')
db.execute("INSERT INTO items(data) VALUES('second')")
other = SQLite3::Database.new(ARGV[0])
other.get_first_value('SELECT count(*) FROM items')
other.close
db.execute('BEGIN IMMEDIATE')
db.execute("INSERT INTO items(data) VALUES('third')")
pause('transaction')
db.execute('COMMIT')
db.execute('DELETE FROM items')
db.execute('VACUUM')
db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
db.close
