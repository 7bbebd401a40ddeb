/* The load generator: the distribution's SQLite, with the VFS `tombolo` or without, and the
** distribution's client of PostgreSQL, doing the same work by the same loop.
**
**   load sqlite|postgres ADDRESS WORK full|normal CLIENTS MILLISECONDS
**   load ping-pong ROUNDS
**   load sync FILE ROUNDS
**
** Each client is a process with a connection of its own. All begin together, when each is warm. One
** line for each: what it did, how often, how often it was refused, and the least, the median and
** the longest time of one, in nanoseconds. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 800000, HOT_ROWS = 1000, INSERTED_ROWS = 100, TIMES_MAX = 4000000 };
enum { BUSY_MS = 60000, COLUMNS = 4 };

enum work { POINT_HOT, POINT_ANY, RANGE, SCAN, UPDATE, INSERT };

static const char *const names[] = {"point-hot", "point-any", "range", "scan", "update", "insert"};
/* How often each is done before it counts. */
static const int warm_ups[] = {2 * HOT_ROWS, HOT_ROWS, HOT_ROWS, 1, 200, 3};

static const char *const statements[] = {
  "SELECT id, name, value, body FROM item WHERE id = $1",
  "SELECT id, name, value, body FROM item WHERE id = $1",
  "SELECT id, name, value, body FROM item WHERE id >= $1 ORDER BY id LIMIT 10",
  "SELECT count(body), sum(value) FROM item",
  "UPDATE item SET value = value + 1 WHERE id = $1",
  "INSERT INTO entry(number, body) VALUES($1, 'as long as an entry of a log may well be')",
};
static const char *const begin = "BEGIN";
static const char *const begin_immediate = "BEGIN IMMEDIATE";
static const char *const commit = "COMMIT";

static void fail(const char *format, ...){
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

static int64_t now_ns(void){
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t end){
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)((random_state >> 16) % end);
}

/* A row that work is done on: one of a thousand that are spread over the table, or any. */
static int row_for(enum work work){
  if( work==POINT_ANY ) return 1 + (int)random_below(ROWS);
  return 1 + (int)random_below(HOT_ROWS) * (ROWS / HOT_ROWS);
}

/* --- SQLite --- */

static sqlite3 *database;
static sqlite3_stmt *prepared, *prepared_begin, *prepared_commit;

static void load_library(void){
  const char *library = getenv("TOMBOLO_LIBRARY");
  char *message = 0;
  sqlite3 *any = 0;
  if( library==0 ) return;
  if( sqlite3_open(":memory:", &any)!=SQLITE_OK
   || sqlite3_db_config(any, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int*)0)!=SQLITE_OK
   || sqlite3_load_extension(any, library, 0, &message)!=SQLITE_OK ){
    fail("%s: %s", library, message ? message : "not loaded");
  }
  sqlite3_close(any);
}

static void sqlite_prepare(const char *sql, sqlite3_stmt **into){
  if( sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, into, 0)!=SQLITE_OK ){
    fail("%s: %s", sql, sqlite3_errmsg(database));
  }
}

static void sqlite_open(const char *address, enum work work, const char *durability){
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI;
  char *pragma = sqlite3_mprintf("PRAGMA synchronous=%s", durability);
  load_library();
  if( sqlite3_open_v2(address, &database, flags, 0)!=SQLITE_OK ){
    fail("%s: %s", address, sqlite3_errmsg(database));
  }
  sqlite3_busy_timeout(database, BUSY_MS);
  if( sqlite3_exec(database, pragma, 0, 0, 0)!=SQLITE_OK ) fail("%s", sqlite3_errmsg(database));
  sqlite3_free(pragma);
  sqlite_prepare(statements[work], &prepared);
  sqlite_prepare(begin_immediate, &prepared_begin);
  sqlite_prepare(commit, &prepared_commit);
}

/* Whether a statement came to its end; every value of its rows is looked at. */
static int sqlite_run(sqlite3_stmt *statement){
  int code;
  volatile int64_t seen = 0;
  while( (code = sqlite3_step(statement))==SQLITE_ROW ){
    int column, count = sqlite3_column_count(statement);
    for(column=0; column<count; column++) seen += sqlite3_column_bytes(statement, column);
  }
  sqlite3_reset(statement);
  if( code!=SQLITE_DONE && (code & 0xff)!=SQLITE_BUSY ){
    fail("%s", sqlite3_errmsg(database));
  }
  return code==SQLITE_DONE;
}

static int sqlite_work(enum work work){
  int number;
  if( work!=INSERT ){
    if( work!=SCAN ) sqlite3_bind_int(prepared, 1, row_for(work));
    return sqlite_run(prepared);
  }
  if( !sqlite_run(prepared_begin) ) return 0;
  for(number=0; number<INSERTED_ROWS; number++){
    sqlite3_bind_int(prepared, 1, number);
    if( !sqlite_run(prepared) ) fail("an insert within a transaction was refused");
  }
  return sqlite_run(prepared_commit);
}

/* --- PostgreSQL --- */

static PGconn *server;

static void postgres_open(const char *address, enum work work, const char *durability){
  char text[64];
  const char *sql = statements[work];
  int full = strcmp(durability, "full")==0;
  server = PQconnectdb(address);
  if( PQstatus(server)!=CONNECTION_OK ) fail("%s", PQerrorMessage(server));
  snprintf(text, sizeof text, "SET synchronous_commit=%s", full ? "on" : "off");
  PQclear(PQexec(server, text));
  PQclear(PQprepare(server, "begin", begin, 0, 0));
  PQclear(PQprepare(server, "commit", commit, 0, 0));
  PGresult *result = PQprepare(server, "work", sql, 0, 0);
  if( PQresultStatus(result)!=PGRES_COMMAND_OK ) fail("%s", PQerrorMessage(server));
  PQclear(result);
}

static void postgres_run(const char *name, int count, int32_t value){
  uint32_t number = htonl((uint32_t)value);
  const char *values[1] = {(const char*)&number};
  const int lengths[1] = {4}, formats[1] = {1};
  volatile int64_t seen = 0;
  PGresult *result = PQexecPrepared(server, name, count, values, lengths, formats, 1);
  ExecStatusType status = PQresultStatus(result);
  int row, column, rows = PQntuples(result), columns = PQnfields(result);
  if( status!=PGRES_TUPLES_OK && status!=PGRES_COMMAND_OK ) fail("%s", PQerrorMessage(server));
  for(row=0; row<rows; row++){
    for(column=0; column<columns; column++) seen += PQgetlength(result, row, column);
  }
  PQclear(result);
}

static int postgres_work(enum work work){
  int number;
  if( work!=INSERT ){
    postgres_run("work", work!=SCAN, work!=SCAN ? row_for(work) : 0);
    return 1;
  }
  postgres_run("begin", 0, 0);
  for(number=0; number<INSERTED_ROWS; number++) postgres_run("work", 1, number);
  postgres_run("commit", 0, 0);
  return 1;
}

/* --- Clients --- */

static uint32_t *times;

static int compare(const void *left, const void *right){
  uint32_t a = *(const uint32_t*)left, b = *(const uint32_t*)right;
  return (a > b) - (a < b);
}

static void report(const char *what, long count, long refused){
  char line[256];
  long kept = count < TIMES_MAX ? count : TIMES_MAX;
  qsort(times, (size_t)kept, sizeof *times, compare);
  int length = snprintf(line, sizeof line, "%s %ld %ld %u %u %u\n", what, count, refused,
                        times[0], times[kept / 2], times[kept - 1]);
  /* One call, so that lines of several clients stay whole. */
  if( write(STDOUT_FILENO, line, (size_t)length)!=length ) fail("the report was not taken");
}

struct plan {
  int is_sqlite;
  const char *address, *durability;
  enum work work;
  long milliseconds;
};

static int do_work(const struct plan *plan){
  return plan->is_sqlite ? sqlite_work(plan->work) : postgres_work(plan->work);
}

static void client(const struct plan *plan, int number, int ready, int go){
  char byte = 0;
  int warm_up;
  long count = 0, refused = 0;
  int64_t end, before, after;
  random_state = 0x9e3779b97f4a7c15u ^ ((uint64_t)(number + 1) << 40) ^ (uint64_t)now_ns();
  (plan->is_sqlite ? sqlite_open : postgres_open)(plan->address, plan->work, plan->durability);
  if( plan->milliseconds > 0 ){
    for(warm_up=0; warm_up<warm_ups[plan->work]; warm_up++) do_work(plan);
  }
  if( write(ready, &byte, 1)!=1 || read(go, &byte, 1)!=0 ) fail("the start was missed");
  end = now_ns() + plan->milliseconds * 1000000;
  do {
    before = now_ns();
    int done = do_work(plan);
    after = now_ns();
    if( !done ){
      refused++;
      continue;
    }
    int64_t time = after - before < UINT32_MAX ? after - before : UINT32_MAX;
    /* A longer time than any takes the place of one that is kept. */
    if( count < TIMES_MAX ) times[count] = (uint32_t)time;
    else if( time > times[0] ) times[0] = (uint32_t)time;
    count++;
  } while( after < end || count==0 );
  report(names[plan->work], count, refused);
  exit(0);
}

static enum work work_named(const char *name){
  size_t index;
  for(index=0; index<sizeof names / sizeof *names; index++){
    if( strcmp(names[index], name)==0 ) return (enum work)index;
  }
  fail("no work is named %s", name);
  return SCAN;
}

static void run_clients(char **arguments){
  /* Work of readers, and of the first client where that one writes: `point-hot+update`. */
  char *first = strchr(arguments[2], '+');
  int count = atoi(arguments[4]), number, status, failed = 0;
  int ready[2], go[2];
  char byte;
  struct plan plan = {strcmp(arguments[0], "sqlite")==0, arguments[1], arguments[3], SCAN,
                      atol(arguments[5])};
  if( first ) *first++ = 0;
  if( pipe(ready)!=0 || pipe(go)!=0 ) fail("no pipe");
  for(number=0; number<count; number++){
    plan.work = work_named(first && number==0 ? first : arguments[2]);
    if( fork()==0 ){
      close(go[1]);
      client(&plan, number, ready[1], go[0]);
    }
  }
  close(ready[1]);
  for(number=0; number<count; number++){
    if( read(ready[0], &byte, 1)!=1 ) fail("a client did not get ready");
  }
  close(go[1]);
  while( wait(&status)>0 ) failed |= status;
  exit(failed!=0);
}

/* --- The machine --- */

static void ping_pong(long rounds){
  int ends[2];
  long round;
  char message[64] = {0};
  int64_t before;
  if( socketpair(AF_UNIX, SOCK_STREAM, 0, ends)!=0 ) fail("no sockets");
  if( fork()==0 ){
    close(ends[0]);
    while( recv(ends[1], message, sizeof message, 0)>0 ) send(ends[1], message, sizeof message, 0);
    _exit(0);
  }
  close(ends[1]);
  for(round=0; round<rounds; round++){
    before = now_ns();
    send(ends[0], message, sizeof message, 0);
    if( recv(ends[0], message, sizeof message, 0)<=0 ) fail("no answer");
    times[round] = (uint32_t)(now_ns() - before);
  }
  report("ping-pong", rounds, 0);
}

static void sync_file(const char *path, long rounds){
  static char page[4096];
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  long round;
  int64_t before;
  for(round=0; round<rounds; round++){
    if( write(file, page, sizeof page)!=(ssize_t)sizeof page ) fail("%s is not written", path);
    before = now_ns();
    if( fdatasync(file)!=0 ) fail("%s is not synced", path);
    times[round] = (uint32_t)(now_ns() - before);
  }
  unlink(path);
  report("sync", rounds, 0);
}

int main(int count, char **arguments){
  times = malloc(TIMES_MAX * sizeof *times);
  if( times==0 ) fail("no memory");
  if( count==3 && strcmp(arguments[1], "ping-pong")==0 ) ping_pong(atol(arguments[2]));
  else if( count==4 && strcmp(arguments[1], "sync")==0 ) sync_file(arguments[2], atol(arguments[3]));
  else if( count==7 ) run_clients(arguments + 1);
  else fail("see the top of load.c for its arguments");
  return 0;
}
