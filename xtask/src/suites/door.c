/* Compiled into SQLite's test programs (-DSQLITE_EXTRA_INIT=tombolo_extra_init): loads the VFS
** `tombolo` before anything is opened, by the interface that every program has.
**
** In the interpreter of the TCL tests (SQLITE_TEST) the VFS then does what these tests expect of
** every VFS in this program: it fails when a counter says so (`do_ioerr_test`), and counts open
** files. With TOMBOLO_COPIED in the environment the owner copies each transaction from its log
** into the file when it ends, since the test looks into the file, or writes into it, by itself.
*/
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>

#ifdef SQLITE_TEST
extern int sqlite3_io_error_hit, sqlite3_io_error_hardhit, sqlite3_io_error_pending;
extern int sqlite3_io_error_persist, sqlite3_io_error_benign;
extern int sqlite3_diskfull_pending, sqlite3_diskfull;
extern int sqlite3_open_file_count;

static sqlite3_io_methods real, wrapped;
static int (*real_open)(sqlite3_vfs*, const char*, sqlite3_file*, int, int*);
static int (*real_access)(sqlite3_vfs*, const char*, int, int*);
static int (*real_delete)(sqlite3_vfs*, const char*, int);
static int is_current, has_written;

/* Whether this call is the one that is to fail. */
static int fails(void){
  int is_persistent = sqlite3_io_error_persist && sqlite3_io_error_hit;
  if( !is_persistent && sqlite3_io_error_pending--!=1 ) return 0;
  sqlite3_io_error_hit++;
  if( !sqlite3_io_error_benign ) sqlite3_io_error_hardhit++;
  return 1;
}

/* Whether the disk is to be full from this call on. */
static int is_full(void){
  if( sqlite3_diskfull_pending==0 ) return 0;
  if( sqlite3_diskfull_pending!=1 ){
    sqlite3_diskfull_pending--;
    return 0;
  }
  if( !sqlite3_io_error_benign ) sqlite3_io_error_hardhit++;
  sqlite3_diskfull = 1;
  sqlite3_io_error_hit = 1;
  return 1;
}

static int close_file(sqlite3_file *file){
  sqlite3_open_file_count--;
  return real.xClose(file);
}

static int read_file(sqlite3_file *file, void *into, int count, sqlite3_int64 offset){
  return fails() ? SQLITE_IOERR_READ : real.xRead(file, into, count, offset);
}

static int write_file(sqlite3_file *file, const void *from, int count, sqlite3_int64 offset){
  if( fails() ) return SQLITE_IOERR_WRITE;
  return is_full() ? SQLITE_FULL : real.xWrite(file, from, count, offset);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size){
  return fails() ? SQLITE_IOERR_TRUNCATE : real.xTruncate(file, size);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *size){
  return fails() ? SQLITE_IOERR_FSTAT : real.xFileSize(file, size);
}

static int lock_file(sqlite3_file *file, int level){
  return fails() ? SQLITE_IOERR_LOCK : real.xLock(file, level);
}

static int unlock_file(sqlite3_file *file, int level){
  int code = real.xUnlock(file, level);
  if( is_current && has_written && level==SQLITE_LOCK_NONE ){
    char *arguments[4] = {0, "wal_checkpoint", "truncate", 0};
    has_written = 0;
    real.xFileControl(file, SQLITE_FCNTL_PRAGMA, arguments);
    sqlite3_free(arguments[0]);
  }
  return code;
}

/* A commit is made here. */
static int control_file(sqlite3_file *file, int code, void *argument){
  if( code==SQLITE_FCNTL_SYNC ){
    if( fails() ) return SQLITE_IOERR_FSYNC;
    if( is_full() ) return SQLITE_FULL;
    has_written = 1;
  }
  return real.xFileControl(file, code, argument);
}

static int open_file(
  sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out
){
  int code;
  file->pMethods = 0;
  if( fails() ) return SQLITE_IOERR;
  code = real_open(vfs, name, file, flags, flags_out);
  if( code!=SQLITE_OK ) return code;
  sqlite3_open_file_count++;
  real = wrapped = *file->pMethods;
  wrapped.xClose = close_file;
  wrapped.xRead = read_file;
  wrapped.xWrite = write_file;
  wrapped.xTruncate = truncate_file;
  wrapped.xFileSize = size_of_file;
  wrapped.xLock = lock_file;
  wrapped.xUnlock = unlock_file;
  wrapped.xFileControl = control_file;
  file->pMethods = &wrapped;
  return code;
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *answer){
  return fails() ? SQLITE_IOERR_ACCESS : real_access(vfs, name, flags, answer);
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync){
  return fails() ? SQLITE_IOERR_DELETE : real_delete(vfs, name, sync);
}

static void wrap(void){
  sqlite3_vfs *vfs = sqlite3_vfs_find("tombolo");
  if( vfs==0 || vfs->xOpen==open_file ) return;
  is_current = getenv("TOMBOLO_COPIED")!=0;
  real_open = vfs->xOpen;
  real_access = vfs->xAccess;
  real_delete = vfs->xDelete;
  vfs->xOpen = open_file;
  vfs->xAccess = access_file;
  vfs->xDelete = delete_file;
}
#else
static void wrap(void){}
#endif

int tombolo_extra_init(const char *unused){
  const char *library = getenv("TOMBOLO_LIBRARY");
  sqlite3 *database = 0;
  char *message = 0;
  int code;
  (void)unused;
  if( library==0 ) return SQLITE_OK;
  code = sqlite3_open(":memory:", &database);
  if( code==SQLITE_OK ){
    code = sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int*)0);
  }
  if( code==SQLITE_OK ) code = sqlite3_load_extension(database, library, 0, &message);
  if( code!=SQLITE_OK ) fprintf(stderr, "%s: %s\n", library, message ? message : "not loaded");
  sqlite3_free(message);
  sqlite3_close(database);
  wrap();
  return code;
}
