/* build/audit: the verdict of every claim in paper/claims.tsv, from tests, arithmetic and run folders. */
#include "../audit/calibration.h"
#include "../audit/ledger.h"
#include "../audit/liveness.h"
#include "../audit/manifest.h"
#include "../base/files.h"
#include "../base/program.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    const char *root, *results, *out, *paper, *id, *bench, *power, *coverage;
    bool liveness, cut, manifest;
    int tables;
} Arguments;

static const char usage[] =
    "audit [OPTION ...] FOLDER ...\n\n"
    "Prints the verdict of every claim in paper/claims.tsv, from the runs in the folders, at any depth.\n"
    "  --root=FOLDER     the project (.)\n"
    "  --results=FILE    what `make check` left (build/check.tsv)\n"
    "  --bench=FILE      what `make bench` printed\n"
    "  --paper=FILE      your copy of the paper, as text: its sentences are cut, hashed and compared\n"
    "  --out=FOLDER      writes audit.tsv and audit.md there\n"
    "  --claim=ID        prints the way of one claim instead\n"
    "  --liveness        changes the evidence of each claim: each verdict must change\n"
    "  --calibrate=N     simulates N tables of each known truth instead; --power=FILE writes the power "
    "curve\n"
    "  --manifest        writes the list of the first FOLDER's runs, FOLDER/manifest.tsv, anew\n"
    "  --cut             prints paper/coverage.tsv anew from --paper\n";

static bool take(const char **value, const char *argument, const char *name)
{
    const size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return false;
    *value = argument + length;
    return true;
}

static bool parse(Arguments *a, const char *argument)
{
    const char *number;
    if (take(&a->root, argument, "--root=") || take(&a->results, argument, "--results=") ||
        take(&a->out, argument, "--out=") || take(&a->paper, argument, "--paper=") ||
        take(&a->id, argument, "--claim=") || take(&a->bench, argument, "--bench=") ||
        take(&a->power, argument, "--power="))
        return true;
    if (take(&number, argument, "--calibrate="))
        return (a->tables = atoi(number)) > 0;
    if (strcmp(argument, "--liveness") == 0)
        return a->liveness = true;
    if (strcmp(argument, "--manifest") == 0)
        return a->manifest = true;
    return strcmp(argument, "--cut") == 0 && (a->cut = true);
}

static const char *under(char path[1024], const char *root, const char *name)
{
    snprintf(path, 1024, "%s/%s", root, name);
    return path;
}

/* The command's output, or nothing where git does not know the folder. */
static FILE *git(const char *root, const char *arguments)
{
    char command[2048];
    if (strchr(root, '\'') || (size_t)snprintf(command, sizeof command, "git -C '%s' %s 2>/dev/null", root,
                                               arguments) >= sizeof command)
        return NULL;
    return popen(command, "r");
}

/* When each line of claims.tsv was last changed, in UTC; an uncommitted line is of now. */
static void read_rule_dates(char (*dates)[40], const Claims *claims, const char *root)
{
    char line[4096];
    int claim = -1;
    long seconds = 0;
    FILE *in = git(root, "blame --line-porcelain -- paper/claims.tsv");
    while (in && fgets(line, sizeof line, in)) {
        char hash[41];
        int before, number;
        if (sscanf(line, "%40[0-9a-f] %d %d", hash, &before, &number) == 3 && strlen(hash) == 40)
            for (claim = 0; claim < claims->count && claims->claims[claim].line != number; claim++)
                continue;
        else if (sscanf(line, "committer-time %ld", &seconds) == 1 && claim >= 0 && claim < claims->count)
            strftime(dates[claim], sizeof dates[claim], "%Y-%m-%dT%H:%M:%SZ", gmtime(&(time_t){seconds}));
    }
    if (in)
        pclose(in);
}

/* Whether a path differs between the commit and this tree; it does where git has no such commit. */
static bool changed_since(const char *commit, const char *paths, const char *root)
{
    char arguments[512];
    if (strlen(commit) < 40 || commit[strspn(commit, "0123456789abcdef")]) /* a name that moves */
        return true;
    snprintf(arguments, sizeof arguments, "diff --quiet %s -- %s", commit, paths);
    FILE *in = git(root, arguments);
    return !in || pclose(in) != 0;
}

/* A run is stale if what decides its bits changed: the kernels, unless those of a later commit have made its
 * first epoch anew (again.sh), or what calls them. */
static void find_stale(Evidence *evidence, const char *root)
{
    static const char kernels[] = "ref fast",
                      callers[] =
                          "experiments/data experiments/network experiments/protocol experiments/training";
    for (int f = 0; f < evidence->folders_count; f++) {
        Folder *run = &evidence->folders[f];
        const Folder *like = evidence->folders;
        while (strcmp(like->commit, run->commit) != 0 || strcmp(like->again, run->again) != 0)
            like++;
        run->stale = like < run ? like->stale
                                : changed_since(run->commit, callers, root) ||
                                      (changed_since(run->commit, kernels, root) &&
                                       changed_since(run->again, kernels, root));
    }
}

/* Everything that was read, in one place to be freed from. */
typedef struct {
    Claims claims;
    Sources sources;
    Evidence evidence;
    Rows rows;
    Paper paper;
    Tsv coverage;
    char (*dates)[40];
    Judgement *judgements;
    Court court;
} Audit;

static bool read_all(Audit *audit, const Arguments *a, char **folders, int count, Error *error)
{
    char path[1024];
    if (!claims_read(&audit->claims, under(path, a->root, "paper/claims.tsv"), error) ||
        !rows_read(&audit->rows, under(path, a->root, "paper/rows.tsv"), error) ||
        !sources_read(&audit->sources, a->root, a->results, error) ||
        !tsv_read(&audit->coverage, under(path, a->root, "paper/coverage.tsv"), coverage_header, error))
        return false;
    for (int i = 0; i < count; i++)
        if (!evidence_add(&audit->evidence, &audit->rows, folders[i], error)) {
            manifest_tell(folders[i], &audit->claims, error->text, stderr);
            return false;
        }
    if ((a->bench && !evidence_bench(&audit->evidence, a->bench, error)) ||
        (a->paper && !paper_read(&audit->paper, a->paper, error)))
        return false;
    audit->dates = calloc((size_t)audit->claims.count, sizeof *audit->dates);
    audit->judgements = calloc((size_t)audit->claims.count, sizeof *audit->judgements);
    if (!audit->dates || !audit->judgements)
        return fail(error, "no memory for the verdicts");
    read_rule_dates(audit->dates, &audit->claims, a->root);
    find_stale(&audit->evidence, a->root);
    audit->court = (Court){
        &audit->claims, &audit->sources, &audit->evidence, &audit->rows, a->paper ? &audit->paper : NULL,
        audit->dates};
    return judge(audit->judgements, &audit->court, error);
}

static bool write_all(const Audit *audit, const char *folder, Error *error)
{
    Text table = {0}, part = {0};
    ledger_tsv(&table, audit->judgements, &audit->court);
    ledger_markdown(&part, audit->judgements, &audit->court);
    const bool ok = folder_make(folder, error) && text_write(&table, folder, "audit.tsv", error) &&
                    text_write(&part, folder, "audit.md", error);
    text_free(&table);
    text_free(&part);
    return ok;
}

/* What must be there for the verdicts to mean something; each a sentence on standard error. */
static int count_faults(const Audit *audit, const Arguments *a, char **folders, int count)
{
    int faults = sources_orphans(&audit->sources, &audit->claims, &audit->rows, a->root, stderr) +
                 coverage_check(&audit->coverage, &audit->claims, a->paper ? &audit->paper : NULL, stderr);
    for (int i = 0; i < count; i++)
        faults += manifest_check(folders[i], &audit->evidence, &audit->claims, stderr);
    for (int c = 0; c < audit->claims.count; c++)
        if (strcmp(audit->judgements[c].verdict, "broken") == 0) {
            fprintf(stderr, "broken: claim %s, a test that decides it fails\n", audit->claims.claims[c].id);
            faults++;
        }
    return faults;
}

static int run(Audit *audit, const Arguments *a, char **folders, int count, Error *error)
{
    if (!read_all(audit, a, folders, count, error))
        die("audit", error);
    if (a->cut) {
        coverage_print(&audit->coverage, &audit->paper, stdout);
        return 0;
    }
    if (a->manifest) {
        if (count != 1 || !manifest_write(folders[0], &audit->evidence, error))
            die("audit", error);
        return 0;
    }
    if (a->id) {
        if (!ledger_way(a->id, audit->judgements, &audit->court, &audit->coverage, stdout, error))
            die("audit", error);
        return 0;
    }
    if (a->liveness)
        return liveness_check(&audit->court, stdout) > 0;
    ledger_print(audit->judgements, &audit->court, stdout);
    if (a->out && !write_all(audit, a->out, error))
        die("audit", error);
    fflush(stdout);
    const int faults = count_faults(audit, a, folders, count);
    if (faults > 0)
        fprintf(stderr, "audit: %d faults in the ledger, each on a line above\n", faults);
    return faults > 0;
}

int main(int argc, char **argv)
{
    static Audit audit;
    Arguments arguments = {.root = "."};
    Error error = {""};
    int i = 1;
    program_begin();
    if (program_asks_help(argc, argv)) {
        fputs(usage, stdout);
        return program_end("audit");
    }
    while (i < argc && strncmp(argv[i], "--", 2) == 0) {
        if (!parse(&arguments, argv[i])) {
            fprintf(stderr, "audit: %s is no option\n\n%s", argv[i], usage);
            return 2;
        }
        i++;
    }
    if (arguments.tables > 0) {
        if (!calibrate(arguments.tables, arguments.power, stdout, &error))
            die("audit", &error);
        return program_end("audit");
    }
    if (i == argc || (arguments.cut && !arguments.paper)) {
        fputs(usage, stderr);
        return 2;
    }
    const int status = run(&audit, &arguments, argv + i, argc - i, &error);
    claims_free(&audit.claims);
    sources_free(&audit.sources);
    evidence_free(&audit.evidence);
    tsv_free(&audit.rows.table);
    tsv_free(&audit.coverage);
    paper_free(&audit.paper);
    free(audit.dates);
    free(audit.judgements);
    const int written = program_end("audit");
    return status ? status : written;
}
