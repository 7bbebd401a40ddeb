/* A program with SQLite linked in: a forked process and two threads write to one database, each by
 * a connection of its own.
 *
 * crowd DATABASE MODE ROWS [WAY] prints its number, then how many rows there are at the end. Rows are
 * written by each of the three. WAY is how it ends: "killed", "signal" (it catches one, and exits
 * with 7), or nothing.
 */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;
static int rows;
static volatile sig_atomic_t caught;

static void fail(sqlite3 *database) {
    fprintf(stderr, "%s\n", sqlite3_errmsg(database));
    exit(1);
}

static sqlite3 *opened(void) {
    sqlite3 *database;
    if (sqlite3_open(path, &database) != SQLITE_OK) fail(database);
    sqlite3_busy_timeout(database, 60000);
    return database;
}

static void run(sqlite3 *database, const char *statement) {
    if (sqlite3_exec(database, statement, NULL, NULL, NULL) != SQLITE_OK) fail(database);
}

static void *work(void *nothing) {
    sqlite3 *database = opened();
    for (int row = 0; row < rows; row++) run(database, "INSERT INTO t VALUES (1)");
    sqlite3_close(database);
    return nothing;
}

static void note(int number) { caught = number; }

int main(int count, char **arguments) {
    const char *way = count > 4 ? arguments[4] : "";
    char pragma[64];
    path = arguments[1];
    rows = atoi(arguments[3]);
    printf("%d\n", getpid());
    fflush(stdout);
    snprintf(pragma, sizeof pragma, "PRAGMA journal_mode=%s", arguments[2]);
    sqlite3 *database = opened();
    run(database, pragma);
    run(database, "CREATE TABLE t(x)");
    sqlite3_close(database);
    pid_t child = fork();
    if (child == 0) {
        work(NULL);
        _exit(0);
    }
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    waitpid(child, NULL, 0);
    database = opened();
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, "SELECT count(*) FROM t", -1, &statement, NULL)) fail(database);
    sqlite3_step(statement);
    printf("%d\n", sqlite3_column_int(statement, 0));
    fflush(stdout);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    if (strcmp(way, "killed") == 0) raise(SIGKILL);
    if (strcmp(way, "signal") == 0) {
        signal(SIGUSR1, note);
        raise(SIGUSR1);
        return caught == SIGUSR1 ? 7 : 8;
    }
    return 0;
}
