/* Loads a SQLite by a name that only this program's own search path leads to, and opens the
   database that is named by the first argument. With a second, the library of that path is loaded
   afterwards. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    void *library = dlopen("libsqlite_apart.so", RTLD_NOW);
    int (*open)(const char *, void **);
    void *connection = NULL;

    if (count < 2 || library == NULL) {
        fprintf(stderr, "not found: %s\n", dlerror());
        return 1;
    }
    open = (int (*)(const char *, void **))dlsym(library, "sqlite3_open");
    if (open == NULL || open(arguments[1], &connection) != 0) {
        return 2;
    }
    return count > 2 && dlopen(arguments[2], RTLD_NOW) == NULL ? 3 : 0;
}
