import { describe } from 'vitest';
import { quotingTests } from '../../helpers/completion-quoting.js';

describe('zsh', () => quotingTests('zsh'));
