/*
 * kill_oracle.h - what the outside knows of a node that is killed again and again.
 *
 * Every message has an identity: stream, publisher, number. The oracle notes for each number at
 * which sequence it was acknowledged or read. It lives in a process of its own, so no kill touches
 * it. What it then demands of the node:
 *
 *     acknowledged at sequence s  =>  message s is there, with that identity and content, for ever
 *     any two sequences           =>  different identities (nothing is stored twice)
 *     one publisher in one stream =>  numbers rise with sequences, without exception: what is left
 *                                     without answer by a kill is sent again first, in its order
 *     a message whose acknowledgement by the consumer was confirmed  =>  not delivered again
 *     every message of the consumed stream is delivered in the end
 *     a purge, a stream made or deleted: once acknowledged, it stays so
 *     the node never ends by itself
 */
#ifndef NONET_TESTS_CRASH_KILL_ORACLE_H
#define NONET_TESTS_CRASH_KILL_ORACLE_H

#include "base/buf.h"
#include "base/slice.h"

#define KILL_STREAMS 3u
#define KILL_PUBLISHERS 2u
#define KILL_NUMBERS_MAX (8u << 20) /* of one publisher and stream */
#define KILL_PAYLOAD_MAX 64512u     /* sizes are multiples of 3: base64 without padding */

struct kill_track {
    uint32_t *sequence_of; /* by number: where it is, 0 = not known */
    uint32_t next;         /* the next number to send */
    uint32_t unsure;       /* numbers from here on may be without answer */
    uint32_t above;        /* while reading in order: the next number is at least this */
};

/* What was read at a sequence. */
struct kill_found {
    uint32_t publisher, number;
    bool there;
};

struct kill_oracle {
    struct kill_track tracks[KILL_STREAMS][KILL_PUBLISHERS];
    uint32_t *delivered, *confirmed; /* bits by sequence of stream 0 */
    struct kill_found *found;        /* of the reading under way, by sequence from read_from */
    uint64_t read_from, read_to;
    unsigned read_stream;
    uint64_t acked, checked, confirmations, deliveries;
    /* broken demands */
    uint64_t lost, twice, wrong, unordered, redelivered, skipped, undone, refused, died;
};

void kill_oracle_open(struct kill_oracle *oracle);
void kill_oracle_close(struct kill_oracle *oracle);
uint64_t kill_oracle_failures(const struct kill_oracle *oracle);
/* Counts a broken demand in *COUNTER (a member above) and says so. */
void kill_oracle_broken(uint64_t *counter, const char *format, ...) printf_like(2, 3);

/* "k<stream>.<publisher>.<number>" */
slice kill_subject(unsigned stream, unsigned publisher, uint32_t number, char out[64]);
/* The content that belongs to an identity: most are short, some fill many blocks. */
slice kill_payload(unsigned stream, unsigned publisher, uint32_t number,
                   char out[KILL_PAYLOAD_MAX]);
/* The other way round; false where SUBJECT is none of ours. */
bool kill_identity(slice subject, unsigned *ret_stream, unsigned *ret_publisher,
                   uint32_t *ret_number);

void kill_oracle_acked(struct kill_oracle *oracle, unsigned stream, unsigned publisher,
                       uint32_t number, uint64_t sequence);
/* A confirmed double acknowledgement, and a delivery, of stream 0's consumer. */
void kill_oracle_confirmed(struct kill_oracle *oracle, uint64_t sequence);
void kill_oracle_delivered(struct kill_oracle *oracle, uint64_t sequence);
/* The consumer has nothing left: all up to LAST must have been delivered once at least. */
void kill_oracle_drained(struct kill_oracle *oracle, uint64_t last);
/* Reading of FROM to TO of STREAM begins; where it does not go on from the reading before, BEGINS
   is set and numbers may be anything at first. */
void kill_oracle_read(struct kill_oracle *oracle, unsigned stream, uint64_t from, uint64_t to,
                      bool begins);
/* The answer to STREAM.MSG.GET of SEQUENCE; answers come in any order. */
void kill_oracle_check(struct kill_oracle *oracle, uint64_t sequence, slice answer);
void kill_oracle_read_end(struct kill_oracle *oracle); /* judges the order */

#endif
