/*
 * certificates.h - keys and certificates made on the spot, written as PEM files.
 *
 * The tree holds no keys: each run makes its own, valid for a day, on the curve P-256 because that
 * takes no time.
 */
#ifndef NONET_TESTS_IO_CERTIFICATES_H
#define NONET_TESTS_IO_CERTIFICATES_H

struct certificate; /* an authority to sign with */

/* A self-signed authority: FOLDER/NAME.pem and FOLDER/NAME.key. */
struct certificate *certificates_authority(const char *folder, const char *name);
/* One signed by AUTHORITY with CN=NAME and SAN (OpenSSL's text: "DNS:localhost"). */
void certificates_signed(const char *folder, const char *name, const char *san,
                         const struct certificate *authority);
void certificates_free(struct certificate *authority);

#endif
