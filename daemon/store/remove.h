/* Removing a database that is no longer needed, and all that was made beside it. Any thread; blocks. */
#ifndef ALTERD_STORE_REMOVE_H
#define ALTERD_STORE_REMOVE_H

/* What is not there is no failure. */
void database_remove(const char *path);
/* What it removes: the path's endings, the first one empty; ended by NULL. */
extern const char *const database_tails[];

#endif
