/*
 * postgres.h - libpq, PostgreSQL's client library, loaded when it is first used (library.h).
 *
 * The functions keep their names and their documentation: pq->PQexec(connection, "SELECT 1"). libpq
 * makes system calls of its own, so its place is this folder. It blocks: who has a loop calls it on
 * a worker.
 */
#ifndef NONET_IO_POSTGRES_H
#define NONET_IO_POSTGRES_H

#include "io/library.h"

#include <libpq-fe.h>

#define IO_POSTGRES_CALLS(X)                                                                       \
    X(PQconnectdbParams)                                                                           \
    X(PQconninfoParse)                                                                             \
    X(PQconninfoFree)                                                                              \
    X(PQconnectionNeedsPassword)                                                                   \
    X(PQconnectionUsedPassword)                                                                    \
    X(PQreset)                                                                                     \
    X(PQfinish)                                                                                    \
    X(PQstatus)                                                                                    \
    X(PQerrorMessage)                                                                              \
    X(PQsocket)                                                                                    \
    X(PQdb)                                                                                        \
    X(PQuser)                                                                                      \
    X(PQhost)                                                                                      \
    X(PQport)                                                                                      \
    X(PQpass)                                                                                      \
    X(PQsslInUse)                                                                                  \
    X(PQsslAttribute)                                                                              \
    X(PQparameterStatus)                                                                           \
    X(PQtransactionStatus)                                                                         \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryParams)                                                                           \
    X(PQsetSingleRowMode)                                                                          \
    X(PQconsumeInput)                                                                              \
    X(PQisBusy)                                                                                    \
    X(PQgetResult)                                                                                 \
    X(PQclear)                                                                                     \
    X(PQresultStatus)                                                                              \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultVerboseErrorMessage)                                                                 \
    X(PQresultErrorField)                                                                          \
    X(PQcmdStatus)                                                                                 \
    X(PQntuples)                                                                                   \
    X(PQnfields)                                                                                   \
    X(PQfname)                                                                                     \
    X(PQftype)                                                                                     \
    X(PQgetvalue)                                                                                  \
    X(PQgetlength)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQbinaryTuples)                                                                              \
    X(PQgetCopyData)                                                                               \
    X(PQputCopyData)                                                                               \
    X(PQputCopyEnd)                                                                                \
    X(PQfreemem)                                                                                   \
    X(PQgetCancel)                                                                                 \
    X(PQcancel)                                                                                    \
    X(PQfreeCancel)                                                                                \
    X(PQescapeLiteral)

struct io_postgres {
    IO_POSTGRES_CALLS(IO_LIBRARY_FIELD)
};

/* 0, or -ENOENT with words. */
must_use int io_postgres_load(struct io_postgres *ret_postgres, struct error *ret_error);

#endif
