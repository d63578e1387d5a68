/* Work that rests; see gentle.h. */
#include "daemon/store/gentle.h"

#include <time.h>

#include "daemon/store/internal.h"

/* Work between two rests. */
#define WORK_NS (2 * NS_PER_MS)
/* Virtual machine steps between two looks. */
#define STEPS 1000

void gentle_rest(struct gentle *g)
{
	uint64_t worked = clock_now_ns() - g->worked_ns;

	if (worked < WORK_NS)
		return;
	bool clients = g->store && store_clients_at_work(g->store) && !(g->snapshot && store_wal_outruns(g->store));
	if (g->always || clients) {
		struct timespec time = {.tv_sec = (time_t)(worked / NS_PER_S), .tv_nsec = (long)(worked % NS_PER_S)};
		(void)nanosleep(&time, NULL);
	}
	g->worked_ns = clock_now_ns();
}

void gentle_wait_for_log(struct gentle *g, uint64_t most_ns)
{
	static const struct timespec while_ns = {.tv_nsec = (long)(10 * NS_PER_MS)};
	struct store *s = g->store;
	uint64_t until = clock_now_ns() + most_ns;

	while (s && (store_wal_outruns(s) || store_wal_overflows(s)) && !gentle_over(g) && clock_now_ns() < until) {
		checkpointer_wake(s);
		(void)nanosleep(&while_ns, NULL);
	}
}

bool gentle_over(struct gentle *g)
{
	if (g->snapshot && g->enough && g->enough(g->store))
		g->gave_up = true;
	return g->gave_up || (g->stop && atomic_load(g->stop) != STOP_NONE);
}

static int read_slowly(sqlite3_file *file, void *data, int n, sqlite3_int64 at)
{
	struct gentle *g = (struct gentle *)(uintptr_t)file->pMethods;

	if (gentle_over(g))
		return SQLITE_IOERR_READ;
	gentle_rest(g);
	return g->plain->xRead(file, data, n, at);
}

static int on_progress(void *arg)
{
	gentle_rest(arg);
	return gentle_over(arg);
}

int gentle_attach(struct gentle *g, sqlite3 *handle)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc != SQLITE_OK)
		return rc;
	g->methods = *file->pMethods;
	g->plain = file->pMethods;
	g->methods.xRead = read_slowly;
	if (g->methods.iVersion > 2)
		g->methods.iVersion = 2; /* pages are read, not mapped */
	file->pMethods = &g->methods;
	sqlite3_progress_handler(handle, STEPS, on_progress, g);
	return SQLITE_OK;
}
