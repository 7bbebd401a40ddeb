/* Compiled into SQLite's test programs (-DSQLITE_EXTRA_INIT=tombolo_extra_init): loads the VFS
** `tombolo` before anything is opened, by the interface that every program has. */
#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>

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
  return code;
}
