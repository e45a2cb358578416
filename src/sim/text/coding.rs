//! Answers with code: a fenced block in the language that the prompt names, whose identifiers come from
//! the prompt, and notes. A poor answer leaves the body to the reader.

use super::bank;
use super::writer::Writer;

/// A language: words in the prompt that name it, the fence's tag, whole programs and a stub. `@f` stands
/// for the function, `@a` and `@b` for two words of the prompt.
struct Language {
    names: &'static [&'static str],
    tag: &'static str,
    programs: &'static [&'static str],
    stub: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "cargo", "borrow checker", "fn "],
        tag: "rust",
        programs: &[
            "use std::collections::HashMap;\n\n/// Counts each @a and returns the @b with the highest count.\nfn @f(items: &[String]) -> Option<(&str, usize)> {\n    let mut counts: HashMap<&str, usize> = HashMap::new();\n    for item in items {\n        *counts.entry(item.as_str()).or_default() += 1;\n    }\n    counts.into_iter().max_by_key(|(_, n)| *n)\n}",
            "fn @f(@a: &[i64], @b: &[i64]) -> Vec<i64> {\n    let (mut i, mut j) = (0, 0);\n    let mut out = Vec::with_capacity(@a.len() + @b.len());\n    while i < @a.len() || j < @b.len() {\n        let take_left = j == @b.len() || (i < @a.len() && @a[i] <= @b[j]);\n        if take_left {\n            out.push(@a[i]);\n            i += 1;\n        } else {\n            out.push(@b[j]);\n            j += 1;\n        }\n    }\n    out\n}",
            "fn @f(text: &str) -> Result<Vec<(String, f64)>, String> {\n    let mut rows = Vec::new();\n    for (number, line) in text.lines().enumerate() {\n        let (@a, @b) = line.split_once('=').ok_or(format!(\"line {}: no '='\", number + 1))?;\n        let value = @b.trim().parse().map_err(|e| format!(\"line {}: {e}\", number + 1))?;\n        rows.push((@a.trim().to_string(), value));\n    }\n    Ok(rows)\n}",
        ],
        stub: "fn @f(@a: &str) -> String {\n    // handle @b here\n    todo!()\n}",
    },
    Language {
        names: &["sql", "query", "table", "postgres", "select "],
        tag: "sql",
        programs: &[
            "WITH ranked AS (\n    SELECT @a_id, @b, created_at,\n           ROW_NUMBER() OVER (PARTITION BY @a_id ORDER BY created_at DESC) AS position\n    FROM @f\n)\nSELECT @a_id, @b, created_at\nFROM ranked\nWHERE position = 1\nORDER BY created_at DESC;",
            "SELECT @a.name, COUNT(@b.id) AS total, COALESCE(SUM(@b.amount), 0) AS amount\nFROM @a\nLEFT JOIN @b ON @b.@a_id = @a.id\n  AND @b.created_at >= CURRENT_DATE - INTERVAL '30 days'\nGROUP BY @a.id, @a.name\nHAVING COUNT(@b.id) > 0\nORDER BY amount DESC;",
        ],
        stub: "SELECT *\nFROM @a\n-- join @b somehow\n;",
    },
    Language {
        names: &["javascript", "typescript", "node", "react", "promise", "browser"],
        tag: "typescript",
        programs: &[
            "export async function @f<T>(task: () => Promise<T>, attempts = 3): Promise<T> {\n  let last: unknown;\n  for (let attempt = 0; attempt < attempts; attempt++) {\n    try {\n      return await task();\n    } catch (error) {\n      last = error; // @a failed: wait, then try @b again\n      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));\n    }\n  }\n  throw last;\n}",
            "export function @f(items: { @a: string; @b: number }[]): Map<string, number> {\n  const totals = new Map<string, number>();\n  for (const { @a, @b } of items) {\n    totals.set(@a, (totals.get(@a) ?? 0) + @b);\n  }\n  return totals;\n}",
        ],
        stub: "function @f(@a) {\n  // TODO: @b\n  return @a;\n}",
    },
    Language {
        names: &["golang", " go ", "goroutine", "in go"],
        tag: "go",
        programs: &[
            "func @f(ctx context.Context, jobs <-chan string, workers int) error {\n\tgroup, ctx := errgroup.WithContext(ctx)\n\tfor i := 0; i < workers; i++ {\n\t\tgroup.Go(func() error {\n\t\t\tfor job := range jobs {\n\t\t\t\tif err := handle(ctx, job); err != nil {\n\t\t\t\t\treturn fmt.Errorf(\"@a %s: %w\", job, err)\n\t\t\t\t}\n\t\t\t}\n\t\t\treturn nil\n\t\t})\n\t}\n\treturn group.Wait()\n}",
        ],
        stub: "func @f(@a string) error {\n\t// @b\n\treturn nil\n}",
    },
    Language {
        names: &["bash", "shell", "command line", "script that runs", "cron"],
        tag: "bash",
        programs: &[
            "#!/usr/bin/env bash\nset -euo pipefail\n\n@f() {\n  local @a=\"$1\" days=\"${2:-30}\"\n  find \"$@a\" -type f -mtime \"+$days\" -print0 |\n    while IFS= read -r -d '' file; do\n      gzip -- \"$file\" && printf 'packed %s\\n' \"$file\"\n    done\n}\n\n@f \"${1:?usage: $0 DIRECTORY [DAYS]}\" \"${2:-}\"",
        ],
        stub: "for f in *; do\n  echo \"$f\"   # do @a with @b here\ndone",
    },
    Language {
        names: &["python", "pandas", "django", "pytest"],
        tag: "python",
        programs: &[
            "from collections import defaultdict\n\n\ndef @f(items):\n    \"\"\"Group items by @a, keeping the order of @b within each group.\"\"\"\n    if not items:\n        return {}\n    groups = defaultdict(list)\n    for item in items:\n        groups[item[\"@a\"]].append(item[\"@b\"])\n    return dict(groups)",
            "def @f(@a, *, limit=100):\n    \"\"\"Yield each @b once, in order of first appearance.\"\"\"\n    seen = set()\n    for @b in @a:\n        if @b in seen:\n            continue\n        seen.add(@b)\n        yield @b\n        if len(seen) >= limit:\n            return",
            "import csv\nfrom pathlib import Path\n\n\ndef @f(path: Path) -> dict[str, float]:\n    \"\"\"Sum up @b by @a; rows that cannot be read are reported with their line.\"\"\"\n    totals: dict[str, float] = {}\n    with path.open(newline=\"\") as handle:\n        for number, row in enumerate(csv.DictReader(handle), start=2):\n            try:\n                totals[row[\"@a\"]] = totals.get(row[\"@a\"], 0.0) + float(row[\"@b\"])\n            except (KeyError, ValueError) as error:\n                raise ValueError(f\"{path}:{number}: {error}\") from error\n    return totals",
        ],
        stub: "def @f(@a):\n    # TODO: @b\n    pass",
    },
];

pub(super) fn write(writer: &mut Writer<'_>, prompt: &str) {
    writer.opening(bank::CODING_OPENINGS);
    writer.paragraph();
    block(writer, language(prompt));
    writer.paragraph();
    if writer.lists() {
        writer.list(bank::CODING_NOTES);
    } else {
        while !writer.is_long_enough(0.85) && writer.prose(bank::CODING_NOTES, 2) {}
    }
    writer.conclusion(bank::CODING_ENDS);
}

/// The first language that the prompt names; Python where it names none.
fn language(prompt: &str) -> &'static Language {
    let lower = prompt.to_lowercase();
    let named = LANGUAGES.iter().find(|language| language.names.iter().any(|name| lower.contains(name)));
    named.unwrap_or(&LANGUAGES[LANGUAGES.len() - 1])
}

/// What functions do, so that two authors hardly ever write the same one.
const VERBS: &[&str] = &["collect", "resolve", "build", "find", "process", "compute", "prepare", "handle", "scan"];

fn block(writer: &mut Writer<'_>, language: &Language) {
    let words = writer.topic().words().iter().take(8);
    let mut names: Vec<String> = words.filter_map(|word| identifier(word)).collect();
    writer.rng().shuffle(&mut names);
    let name = |index: usize, otherwise: &str| names.get(index).cloned().unwrap_or_else(|| otherwise.to_owned());
    let (a, b) = (name(0, "items"), name(1, "value"));
    let verb = VERBS[writer.rng().usize(..VERBS.len())];
    let good = writer.is_good() || writer.rng().f64() < 0.3;
    let template = if good { language.programs[writer.rng().usize(..language.programs.len())] } else { language.stub };
    let code = template.replace("@f", &format!("{verb}_{b}")).replace("@a", &a).replace("@b", &b);
    writer.raw(&format!("```{}\n{code}\n```", language.tag));
}

/// `word` as an identifier that is no keyword anywhere, or nothing.
fn identifier(word: &str) -> Option<String> {
    const RESERVED: &[&str] = &[
        "function",
        "return",
        "select",
        "table",
        "class",
        "struct",
        "string",
        "import",
        "python",
        "rust",
        "javascript",
        "typescript",
        "code",
        "null",
        "none",
        "true",
        "false",
        "async",
        "await",
        "const",
        "while",
        "match",
        "type",
        "bash",
        "query",
        "script",
        "println",
    ];
    let lower = word.to_lowercase().replace('-', "_");
    let fits = lower.len() > 2 && lower.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (fits && !RESERVED.contains(&lower.as_str())).then_some(lower)
}
