import t from 'tap';
import { originForm } from '../../lib/http/target.ts';

t.test('scheme and authority of an absolute target are left out, and nothing else', async (t) => {
  t.equal(originForm('/a?b=http://c/d'), '/a?b=http://c/d');
  t.equal(originForm('http://host:80/a?b'), '/a?b');
  t.equal(originForm('HTTPS://host?b'), '?b');
  t.equal(originForm('http://host'), '');
  t.equal(originForm('*'), '*');
});
