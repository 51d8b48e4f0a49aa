/* The least a no-change run can do: the names of both trees and one statx of each, two threads, nothing remembered.
 *
 *     cc -O2 -pthread floor.c -o floor && ./floor LEFT RIGHT
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry {
    unsigned long long inode;
    long long offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static void walk(int directory) {
    char buffer[32768];
    long got;
    while ((got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < got;) {
            struct entry *entry = (struct entry *)(buffer + at);
            at += entry->length;
            if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) continue;
            struct statx found;
            if (statx(directory, entry->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &found) != 0) exit(1);
            if (!S_ISDIR(found.stx_mode)) continue;
            int below = openat(directory, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below < 0) exit(1);
            walk(below);
            close(below);
        }
    }
    if (got < 0) exit(1);
}

static void *walk_root(void *path) {
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) exit(1);
    walk(root);
    close(root);
    return NULL;
}

int main(int count, char **paths) {
    pthread_t thread;
    if (count != 3) return 2;
    if (pthread_create(&thread, NULL, walk_root, paths[1]) != 0) return 1;
    walk_root(paths[2]);
    return pthread_join(thread, NULL) == 0 ? 0 : 1;
}
