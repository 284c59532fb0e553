import { Anchor, Button, Group, Modal, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "wouter";
import type { Job } from "../../../../src/server/api/jobs.ts";
import { api } from "../../api.ts";
import { Facts } from "../../components/facts.tsx";
import { PictureFrame } from "../../components/pictureFrame.tsx";
import { ScoreBadge } from "../../components/scoreBadge.tsx";
import { useBusy } from "../../components/useBusy.ts";
import type { Made } from "./made.ts";
import classes from "./pictureCard.module.css";

export interface PictureCardProps {
  readonly job: Job;
  readonly picture: Made;
  readonly onChanged: (job: Job) => void;
}

export function PictureCard({ job, picture, onChanged }: PictureCardProps) {
  const [opened, { open, close }] = useDisclosure();
  const name = `Picture ${picture.index + 1}`;
  const actions = picture.whole && <Actions job={job} picture={picture} name={name} onChanged={onChanged} />;
  return (
    <Stack gap={6}>
      <button type="button" className={classes.open} aria-label={`${name}, details`} onClick={open}>
        <PictureFrame src={picture.src} alt="" style={{ aspectRatio: "1" }} />
      </button>
      <Scores picture={picture} />
      {actions}
      <Modal
        opened={opened}
        onClose={close}
        title={name}
        size="lg"
        closeButtonProps={{ "aria-label": "Close the details" }}
      >
        <Stack gap="sm">
          <PictureFrame
            src={picture.src}
            alt={job.title}
            style={{ aspectRatio: "1", width: "min(100%, 60vh)", marginInline: "auto" }}
          />
          <Scores picture={picture} named />
          <Facts facts={factsOf(job, picture)} />
          {actions}
        </Stack>
      </Modal>
    </Stack>
  );
}

const factsOf = ({ request }: Job, { seed }: Made) => ({
  Prompt: request.prompt as string,
  Negative: request.negativePrompt as string | undefined,
  Seed: seed,
  Model: request.model as string | undefined,
});

const Scores = ({ picture: { scores }, named = false }: { picture: Made; named?: boolean }) => (
  <Group gap={4}>
    {Object.entries(scores).map(([reward, score]) => (
      <ScoreBadge key={reward} reward={reward} score={score} showReward={named || Object.keys(scores).length > 1} />
    ))}
  </Group>
);

function Actions({ job, picture: { index, id }, name, onChanged }: PictureCardProps & { name: string }) {
  const [keeping, run] = useBusy();
  const refine = id ? `picture=${encodeURIComponent(id)}` : `from=${encodeURIComponent(job.id)}&index=${index}`;
  return (
    <Group gap={6}>
      {id ? (
        <Anchor component={Link} href={`/picture/${encodeURIComponent(id)}`} size="sm">
          In the library
        </Anchor>
      ) : (
        <Button
          size="compact-sm"
          variant="light"
          loading={keeping}
          aria-label={`Keep ${name.toLowerCase()}`}
          onClick={() => run(async () => onChanged(await api.keepJob(job.id, { index })))}
        >
          Keep
        </Button>
      )}
      <Button
        component={Link}
        href={`/refine?${refine}`}
        size="compact-sm"
        variant="default"
        aria-label={`Refine ${name.toLowerCase()}`}
      >
        Refine
      </Button>
    </Group>
  );
}
