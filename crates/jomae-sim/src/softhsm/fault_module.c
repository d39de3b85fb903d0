/* A PKCS#11 module that passes everything on to SoftHSM, and misbehaves on demand.
 *
 * The file that JOMAE_FAULT names says how, in two words, and is read before each of the functions below:
 *     crash|hang|slow|nonsense|empty|longer|shorter|huge|forget|refuse|lock|full Initialize|Login|CloseSession|GenerateKey|Encrypt|Decrypt|Sign
 * where "nonsense", "empty" and "longer" change what was computed, "shorter" and "huge" the length that is told before, and
 * "late-crash Login" crashes when SoftHSM has judged the PIN.
 * "slow" takes two seconds. Every login is noted in the same file's neighbour, with ".logins" behind its name, and those that
 * SoftHSM has judged in one with ".judged".
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long CK_ULONG;
typedef struct {
    unsigned char version[2];
    void *functions[68];
} list_t;

enum { INITIALIZE = 0, CLOSE_SESSION = 13, LOGIN = 18, GENERATE_KEY = 58, ENCRYPT = 30, DECRYPT = 34, SIGN = 43 };
#define CKR_GENERAL_ERROR 0x5UL
#define CKR_DEVICE_MEMORY 0x31UL
#define CKR_PIN_LOCKED 0xa4UL
#define CKR_SESSION_HANDLE_INVALID 0xb3UL

static list_t list;
static list_t *real;

static int wanted(const char *what, const char *where) {
    const char *path = getenv("JOMAE_FAULT");
    char how[32] = "", function[32] = "";
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        return 0;
    int read = fscanf(file, "%31s %31s", how, function);
    fclose(file);
    return read == 2 && !strcmp(how, what) && !strcmp(function, where);
}

/* Not 0: answered. */
static CK_ULONG misbehave(const char *where) {
    if (wanted("crash", where))
        *(volatile int *)0 = 0;
    while (wanted("hang", where))
        sleep(1);
    if (wanted("slow", where))
        sleep(2);
    if (wanted("forget", where))
        return CKR_SESSION_HANDLE_INVALID;
    if (wanted("refuse", where))
        return CKR_GENERAL_ERROR;
    if (wanted("lock", where))
        return CKR_PIN_LOCKED;
    if (wanted("full", where))
        return CKR_DEVICE_MEMORY;
    return 0;
}

static CK_ULONG initialize(void *args) {
    CK_ULONG failed = misbehave("Initialize");
    return failed ? failed : ((CK_ULONG(*)(void *))real->functions[INITIALIZE])(args);
}

static void note(const char *what) {
    char path[4096];
    const char *base = getenv("JOMAE_FAULT");
    if (!base)
        return;
    snprintf(path, sizeof path, "%s.%s", base, what);
    FILE *file = fopen(path, "a");
    if (file) {
        fputs("login\n", file);
        fclose(file);
    }
}

static CK_ULONG login(CK_ULONG session, CK_ULONG user, void *pin, CK_ULONG length) {
    note("logins");
    CK_ULONG failed = misbehave("Login");
    if (!failed) {
        failed = ((CK_ULONG(*)(CK_ULONG, CK_ULONG, void *, CK_ULONG))real->functions[LOGIN])(session, user, pin, length);
        note("judged");
    }
    if (wanted("late-crash", "Login"))
        *(volatile int *)0 = 0;
    return failed;
}

static CK_ULONG close_session(CK_ULONG session) {
    CK_ULONG failed = misbehave("CloseSession");
    return failed ? failed : ((CK_ULONG(*)(CK_ULONG))real->functions[CLOSE_SESSION])(session);
}

static CK_ULONG generate_key(CK_ULONG session, void *mechanism, void *template, CK_ULONG count, CK_ULONG *key) {
    CK_ULONG failed = misbehave("GenerateKey");
    return failed ? failed
                  : ((CK_ULONG(*)(CK_ULONG, void *, void *, CK_ULONG, CK_ULONG *))real->functions[GENERATE_KEY])(
                        session, mechanism, template, count, key);
}

static CK_ULONG transform(int function, const char *name, CK_ULONG session, unsigned char *in, CK_ULONG in_length,
                          unsigned char *out, CK_ULONG *out_length) {
    CK_ULONG failed = misbehave(name);
    if (failed)
        return failed;
    failed = ((CK_ULONG(*)(CK_ULONG, void *, CK_ULONG, void *, CK_ULONG *))real->functions[function])(
        session, in, in_length, out, out_length);
    if (!failed && out && wanted("empty", name))
        *out_length = 0;
    /* More than the caller has room for: it is told only, not written. */
    if (!failed && out && wanted("longer", name))
        *out_length += 7;
    if (!failed && !out && wanted("shorter", name))
        *out_length -= 1;
    if (!failed && !out && wanted("huge", name))
        *out_length = 1UL << 62;
    if (!failed && out && wanted("nonsense", name)) {
        memset(out, 0xa5, *out_length);
        *out_length /= 2;
    }
    return failed;
}

static CK_ULONG encrypt(CK_ULONG s, unsigned char *in, CK_ULONG n, unsigned char *out, CK_ULONG *m) {
    return transform(ENCRYPT, "Encrypt", s, in, n, out, m);
}

static CK_ULONG decrypt(CK_ULONG s, unsigned char *in, CK_ULONG n, unsigned char *out, CK_ULONG *m) {
    return transform(DECRYPT, "Decrypt", s, in, n, out, m);
}

static CK_ULONG sign(CK_ULONG s, unsigned char *in, CK_ULONG n, unsigned char *out, CK_ULONG *m) {
    return transform(SIGN, "Sign", s, in, n, out, m);
}

CK_ULONG C_GetFunctionList(list_t **out) {
    void *module = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL);
    CK_ULONG (*get)(list_t **) = module ? (CK_ULONG(*)(list_t **))dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&real))
        return CKR_GENERAL_ERROR;
    list = *real;
    list.functions[INITIALIZE] = (void *)initialize;
    list.functions[LOGIN] = (void *)login;
    list.functions[CLOSE_SESSION] = (void *)close_session;
    list.functions[GENERATE_KEY] = (void *)generate_key;
    list.functions[ENCRYPT] = (void *)encrypt;
    list.functions[DECRYPT] = (void *)decrypt;
    list.functions[SIGN] = (void *)sign;
    *out = &list;
    return 0;
}
