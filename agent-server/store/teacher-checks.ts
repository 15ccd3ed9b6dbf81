/** Whether a sample's teacher may be distilled from, and by which hint: found out once a sample and teacher. */
import { TeacherCheckRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

export function teacherCheckQueries(db: Database): Pick<Store, 'teacherCheck' | 'recordTeacherCheck'> {
  return {
    teacherCheck: (sampleId) =>
      db.get(TeacherCheckRow, 'SELECT * FROM teacher_checks WHERE sample_id = ?', sampleId),

    recordTeacherCheck: (sampleId, check) => {
      db.write(['samples'], () =>
        db.run(
          `INSERT INTO teacher_checks(sample_id, teacher, hint_kind, hint_source, hint_text, verdict, detail)
           VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT(sample_id) DO UPDATE SET teacher = excluded.teacher, hint_kind = excluded.hint_kind,
             hint_source = excluded.hint_source, hint_text = excluded.hint_text, verdict = excluded.verdict,
             detail = excluded.detail`,
          sampleId,
          check.teacher,
          check.hint.kind,
          check.hint.source,
          check.hint.text,
          check.verdict,
          check.detail,
        ),
      );
    },
  };
}
