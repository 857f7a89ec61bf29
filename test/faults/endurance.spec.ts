import { GROUPS } from './groups.js';
import { shortForm } from './short-form.js';

shortForm(GROUPS.endurance);
