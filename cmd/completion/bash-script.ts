const WORDS_CALL = '    _get_comp_words_by_ref -n "=:" cur prev words cword\n';

/** Splits the line up to the cursor at blanks only, not at `=` and `:`, for a bash without bash-completion. */
const WORDS = `    if declare -F _get_comp_words_by_ref >/dev/null; then
    ${WORDS_CALL}    else
        local line=\${COMP_LINE:0:COMP_POINT}
        IFS=$' \\t' read -ra words <<< "$line"
        [[ $line == *[[:blank:]] ]] && words+=("")
        cword=$((\${#words[@]} - 1))
        cur=\${words[cword]}
        prev=\${words[cword - 1]}
    fi
`;

/**
 * The completion script of bash. It can be loaded twice and without the package bash-completion, and also completes
 * the value in `--option=value`.
 */
export function plainBashScript(script: string): string {
  return script
    .replace(/^readonly (?=\w+=)/gm, "")
    .replace(WORDS_CALL, () => WORDS)
    .replace('-W "${completions[*]}" -- "$cur"', () => '-W "${completions[*]}" -- "${cur##*=}"');
}
