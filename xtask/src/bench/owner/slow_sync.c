/* Preloaded into every program that is measured: syncing takes so many microseconds longer, as it
** does on a disk that has no memory of its own that outlives loss of power. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int slowed(const char *name, int file){
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *text = getenv("SYNC_DELAY_US");
  long delay_us = text ? atol(text) : 0;
  int result = real(file), error = errno;
  struct timespec left = {delay_us / 1000000, delay_us % 1000000 * 1000};
  while( nanosleep(&left, &left)!=0 && errno==EINTR ){}
  errno = error;
  return result;
}

int fsync(int file){ return slowed("fsync", file); }
int fdatasync(int file){ return slowed("fdatasync", file); }
