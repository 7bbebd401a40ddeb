require "sqlite3"
database = SQLite3::Database.new(ARGV[0])
database.execute("CREATE TABLE IF NOT EXISTS t(a)")
database.transaction { 3.times { |number| database.execute("INSERT INTO t VALUES(?)", [number]) } }
puts database.get_first_value("SELECT count(*) FROM t")
puts database.get_first_value("PRAGMA tombolo_status")[0, 29]
