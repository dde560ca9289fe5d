/** Conventional commits (https://www.conventionalcommits.org), with room for a sentence, and for names such as Redis. */
export default {
  extends: ['@commitlint/config-conventional'],
  rules: {
    'header-max-length': [2, 'always', 120],
    'body-max-line-length': [2, 'always', 200],
    'footer-max-line-length': [2, 'always', 200],
    'subject-case': [0],
  },
};
